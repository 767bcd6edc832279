/* mailbearer: sends mail through Microsoft 365, Gmail and others with OAuth2 tokens.
 *
 * Made from bindings-c/src by cbindgen: do not edit; `make header` rewrites it.
 *
 * Errors. A function that can fail returns a status: 0, or the number of an error code. Its last argument,
 * `err`, may be NULL; it is written on failure only, and the caller frees what it receives. Outputs are
 * written on success only. A NULL where none is allowed, and text that is not UTF-8, are `config_invalid`.
 * Nothing is printed, but for a fault of the library itself (`internal`); no failure ends the program.
 *
 * Ownership. What is returned as `char *` is freed with mailbearer_string_free. `const char *` is borrowed
 * from the object it was asked of, and lives as long. Every other object is freed exactly once by the
 * function that bears its name; each of them takes NULL. What is passed in is copied, but for the
 * messages of mailbearer_mailer_send_many, which it takes over. All strings are UTF-8 and end in a NUL;
 * an inner NUL in data becomes U+FFFD.
 *
 * Threads. Functions that take an object as `const` may be called for it by any number of threads at once,
 * others by one at a time. A blocking call waits on the caller's thread, which goes on taking signals; the
 * work is done by two threads of the library's own, and those it needs, all of which block all signals. No
 * signal handler is replaced, and no SIGPIPE reaches the program. After fork the child may use its objects.
 * Callbacks must not throw and must not longjmp.
 *
 * Every blocking call ends by itself: a mailbearer_call sets its time limit, and cancels it. */


#ifndef MAILBEARER_H
#define MAILBEARER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The version that was compiled against; mailbearer_version() tells the one that runs. */
#define MAILBEARER_VERSION "0.1.0"
#define MAILBEARER_VERSION_MAJOR 0
#define MAILBEARER_VERSION_MINOR 1
#define MAILBEARER_VERSION_PATCH 0
/** Grows with every version: 10000 * major + 100 * minor + patch. */
#define MAILBEARER_VERSION_NUMBER 100


/**
 * The account that a sign-in ended with.
 *
 * Threads: it never changes; any number of threads may read it.
 */
typedef struct mailbearer_account mailbearer_account;

/**
 * A time limit and a way to cancel, for one call or several. Everywhere a call handle is taken, NULL
 * means the default time limit, and no cancelling.
 *
 * Threads: all functions may be called from any thread at any time; that is what it is for. Free it only
 * when no call uses it any more. It must not be used in a signal handler: let a thread that waits for
 * signals (sigwait) cancel.
 */
typedef struct mailbearer_call mailbearer_call;

/**
 * The options of a mailer or of a token source. What is set by name wins over the environment, and the
 * environment over the file, in whatever order they were given.
 *
 * Threads: one thread at a time. Making mailers from it only reads it.
 */
typedef struct mailbearer_config mailbearer_config;

/**
 * Why a call failed. Functions that can fail take a `mailbearer_error **err`: it may be NULL, is written
 * on failure only, is never read, and what it receives is freed by the caller with mailbearer_error_free.
 *
 * Threads: it never changes; any number of threads may read it.
 */
typedef struct mailbearer_error mailbearer_error;

/**
 * A sign-in under way: show the person the message, or send their browser to the URL; then wait, or
 * finish with what came back.
 *
 * Threads: what is borrowed from it never changes. Only one thread may wait or finish at a time.
 */
typedef struct mailbearer_login mailbearer_login;

/**
 * Sends mail: tokens, connections and retries are its business. Make one and keep it.
 *
 * Threads: every function that takes it as `const` may be called by any number of threads at once.
 * Processes: it may be used on in a forked child, which opens connections of its own.
 */
typedef struct mailbearer_mailer mailbearer_mailer;

/**
 * A message to be sent. Fields are `from`, `sender`, `reply_to`, `to`, `cc`, `bcc`, `subject`, `text`,
 * `html`, `message_id`, `date` (RFC 3339), `in_reply_to`, `references`, `list_unsubscribe`, `priority`
 * (`high`, `normal`, `low`), `tag` (the caller's own string, which comes back in results and errors),
 * `envelope.mail_from` and `envelope.rcpt_to` where the envelope is not to follow from the others, `calendar`
 * (an iCalendar object, RFC 5545), and what the server is asked for: `dsn.notify` (`never`, or some of
 * `success`, `failure`, `delay`), `dsn.return` (`full`, `headers`) and `dsn.envelope_id` (RFC 3461),
 * `require_tls` (`true`; RFC 8689), `hold_for` (such as `2h`) or `hold_until` (RFC 3339; RFC 4865). A server
 * that cannot do what is asked for gives `capability_missing`.
 *
 * Its Message-ID and Date are made when it is first used, and stay the same when it is sent again, until
 * a field is changed. Wrong fields are told when it is first used: `message_invalid` names the field.
 *
 * Threads: one thread at a time may change it; sending only reads it, so that several threads may send it
 * at once. It may be freed as soon as the call returned.
 */
typedef struct mailbearer_message mailbearer_message;

/**
 * What became of one message: it has either a receipt or an error. It and all that is borrowed from it
 * live until the callback that was given it returns; there is nothing to free.
 */
typedef struct mailbearer_result mailbearer_result;

/**
 * The server took the message for at least one recipient; who was refused stands in it too.
 *
 * Threads: it never changes; any number of threads may read it.
 */
typedef struct mailbearer_receipt mailbearer_receipt;

/**
 * The whole chain from the name to MAIL FROM: what was seen at each link, and what to do.
 *
 * Threads: it never changes; any number of threads may read it.
 */
typedef struct mailbearer_report mailbearer_report;

/**
 * An access token. It is a secret: the holder may send as the mailbox.
 *
 * Threads: it never changes; any number of threads may read it.
 */
typedef struct mailbearer_token mailbearer_token;

/**
 * Where a token callback puts its token. It lives until the callback returns.
 */
typedef struct mailbearer_token_answer mailbearer_token_answer;

/**
 * What a token callback is asked for. Borrowed: it lives until the callback returns.
 */
typedef struct mailbearer_token_request mailbearer_token_request;

/**
 * Gets tokens and keeps them fresh. One that a mailer gave shares the mailer's tokens.
 *
 * Threads: every function that takes it as `const` may be called by any number of threads at once.
 */
typedef struct mailbearer_tokens mailbearer_tokens;

/**
 * 0 is success; any other value is the number of an error code. Numbers are never reused and never
 * change their meaning; later versions may add some.
 */
typedef int32_t mailbearer_status;

/**
 * Brings a token of the host program's own, when one is needed. It puts it into `answer` with
 * mailbearer_token_answer_set and returns 0; anything else fails the call that needs the token with
 * `token_provider_failed`.
 *
 * It runs on a thread of the library's, with all signals blocked, and several mailers may call it at the
 * same time: what it touches must be locked. It may block and may call the library. It must not throw and
 * must not longjmp, and `userdata` must live as long as anything made from the config.
 */
typedef int (*mailbearer_token_fn)(void *userdata,
                                   const mailbearer_token_request *request,
                                   mailbearer_token_answer *answer);

/**
 * Is told what happened, as JSON: `{"name": "token.refreshed", "fields": {…}}`.
 *
 * It is called by a thread that is inside a blocking call of this library, while it waits and once more
 * before the call returns; never by two threads at once, and never from a thread of the library's own. It
 * may call the library, but must not free the object whose call it interrupts. `json` is borrowed until it
 * returns. Events hold no token and no secret. While no blocking call is made, the newest 1,024 are kept.
 * It must not throw and must not longjmp.
 */
typedef void (*mailbearer_event_fn)(void *userdata, const char *json);

/**
 * Writes at most `length` octets to `buffer` and returns how many; 0 at the end, a negative number if it
 * cannot. It may block. It must not longjmp.
 */
typedef int64_t (*mailbearer_read_fn)(void *userdata, void *buffer, size_t length);

/**
 * Brings the next message of mailbearer_mailer_send_many, on the thread that called it. It returns 1 and
 * puts a message into `*out`, which belongs to the library from then on: do not free it. It returns 0 when
 * there is no more, and less than 0 to stop with `cancelled`, after what was started is reported. It must
 * not throw and must not longjmp.
 */
typedef int (*mailbearer_next_fn)(void *userdata, mailbearer_message **out);

/**
 * Is told what became of each message, once each, in the order in which the answers come; use tags to
 * know them apart. It runs on the thread that called mailbearer_mailer_send_many. It returns 0 to go on;
 * anything else stops the pulling, while what was started goes on to its end and is still reported. It
 * must not throw and must not longjmp.
 */
typedef int (*mailbearer_result_fn)(void *userdata, const mailbearer_result *result);

/**
 * Success.
 */
#define MAILBEARER_OK 0

/**
 * An option is missing, unknown or wrong.
 */
#define MAILBEARER_CONFIG_INVALID 100

/**
 * The message cannot be sent as it is.
 */
#define MAILBEARER_MESSAGE_INVALID 200

/**
 * The message is larger than the server takes.
 */
#define MAILBEARER_MESSAGE_TOO_LARGE 201

/**
 * An attachment's file could not be read.
 */
#define MAILBEARER_ATTACHMENT_UNREADABLE 202

/**
 * Another person signed in than the one configured.
 */
#define MAILBEARER_ACCOUNT_MISMATCH 300

/**
 * The sign-in's answer does not belong to this sign-in.
 */
#define MAILBEARER_LOGIN_INVALID 301

/**
 * A person must sign in.
 */
#define MAILBEARER_INTERACTION_REQUIRED 302

/**
 * The application was not given the permission it asks for.
 */
#define MAILBEARER_CONSENT_REQUIRED 303

/**
 * The application's id, secret or certificate was refused.
 */
#define MAILBEARER_CLIENT_REJECTED 304

/**
 * The sign-in service refused this way of getting a token.
 */
#define MAILBEARER_GRANT_REJECTED 305

/**
 * The requested scope is not one the service gives.
 */
#define MAILBEARER_SCOPE_REJECTED 306

/**
 * The sign-in service did not answer usefully.
 */
#define MAILBEARER_TOKEN_ENDPOINT_UNAVAILABLE 307

/**
 * The person declined to sign in.
 */
#define MAILBEARER_LOGIN_DECLINED 308

/**
 * Nobody finished the sign-in in time.
 */
#define MAILBEARER_LOGIN_EXPIRED 309

/**
 * The program's own token callback or command failed.
 */
#define MAILBEARER_TOKEN_PROVIDER_FAILED 310

/**
 * The mail server refused the token.
 */
#define MAILBEARER_AUTH_REJECTED 400

/**
 * SMTP AUTH is switched off for the mailbox or the organisation.
 */
#define MAILBEARER_SMTP_AUTH_DISABLED 401

/**
 * A policy of the organisation blocks this sign-in.
 */
#define MAILBEARER_AUTH_POLICY_BLOCKED 402

/**
 * The account or organisation is blocked from sending.
 */
#define MAILBEARER_ACCOUNT_BLOCKED 403

/**
 * The mailbox may not send as this sender.
 */
#define MAILBEARER_SEND_AS_DENIED 404

/**
 * The authenticated mailbox cannot be used.
 */
#define MAILBEARER_MAILBOX_UNAVAILABLE 405

/**
 * The server refused the recipients.
 */
#define MAILBEARER_RECIPIENTS_REJECTED 500

/**
 * The server refused the message.
 */
#define MAILBEARER_MESSAGE_REJECTED 501

/**
 * Too many messages or connections for now.
 */
#define MAILBEARER_THROTTLED 502

/**
 * A daily limit is used up.
 */
#define MAILBEARER_QUOTA_EXCEEDED 503

/**
 * The server refused the sender's address.
 */
#define MAILBEARER_SENDER_REJECTED 504

/**
 * The sender's mailbox is full.
 */
#define MAILBEARER_MAILBOX_FULL 505

/**
 * The server refused for now.
 */
#define MAILBEARER_TEMPORARILY_REFUSED 506

/**
 * The connection broke after the message was handed over and before the server answered.
 */
#define MAILBEARER_DELIVERY_UNCERTAIN 507

/**
 * A host name has no address.
 */
#define MAILBEARER_NAME_NOT_RESOLVED 600

/**
 * No connection to the server.
 */
#define MAILBEARER_CONNECT_FAILED 601

/**
 * The server and we could not agree on TLS.
 */
#define MAILBEARER_TLS_FAILED 602

/**
 * The server's certificate is not trusted.
 */
#define MAILBEARER_CERTIFICATE_INVALID 603

/**
 * It took too long.
 */
#define MAILBEARER_TIMED_OUT 604

/**
 * The server closed the connection.
 */
#define MAILBEARER_CONNECTION_LOST 605

/**
 * The server said something that is not SMTP.
 */
#define MAILBEARER_PROTOCOL_ERROR 606

/**
 * The server lacks something that is needed.
 */
#define MAILBEARER_CAPABILITY_MISSING 607

/**
 * The token store could not be read or written.
 */
#define MAILBEARER_STORE_FAILED 700

/**
 * The caller cancelled.
 */
#define MAILBEARER_CANCELLED 800

/**
 * The mailer was closed.
 */
#define MAILBEARER_CLOSED 801

/**
 * A fault of this library.
 */
#define MAILBEARER_INTERNAL 900

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The stable name of a status, such as `auth_rejected`; `ok` for 0, `unknown` for a number that this
 * version does not know. Never NULL; valid for ever.
 */
const char *mailbearer_status_str(mailbearer_status status);

/**
 * Options without any value. The caller frees them with mailbearer_config_free.
 */
mailbearer_config *mailbearer_config_new(void);

/**
 * Sets one option, by its dotted name, such as `auth.client_id`, from text: `587`, `true`, `30s`; lists,
 * tables and null as JSON. A value set before is replaced. Both texts are copied.
 *
 * Errors: `config_invalid` for a NULL argument or broken UTF-8. Unknown names and wrong values are told
 * by mailbearer_mailer_new and mailbearer_tokens_new, with the nearest right name.
 */
mailbearer_status mailbearer_config_set(mailbearer_config *config,
                                        const char *key,
                                        const char *value,
                                        mailbearer_error **err);

/**
 * Sets one option, or a whole table of them, from JSON; tables merge with what was set before. An empty
 * `key` stands for all options: `{"provider": "gmail", "auth": {…}}`. Both texts are copied.
 *
 * Errors: as mailbearer_config_set, and `config_invalid` for text that is not JSON.
 */
mailbearer_status mailbearer_config_set_json(mailbearer_config *config,
                                             const char *key,
                                             const char *json,
                                             mailbearer_error **err);

/**
 * Reads options from a TOML file. `path` NULL looks in the usual places ($MAILBEARER_CONFIG, the user's,
 * the system's); finding none is fine. `profile` NULL means $MAILBEARER_PROFILE, or none. A second file
 * overlays the first. Sign-ins of a config with a file are kept in the user's state folder, unless
 * `store` says otherwise.
 *
 * Errors: `config_invalid`, naming the file, and the line if it is not TOML.
 */
mailbearer_status mailbearer_config_load_file(mailbearer_config *config,
                                              const char *path,
                                              const char *profile,
                                              mailbearer_error **err);

/**
 * Reads options from the environment as it is now: with the prefix `MAILBEARER_` (NULL means that one)
 * `MAILBEARER_AUTH__CLIENT_ID` is `auth.client_id`. Also reads the file that $MAILBEARER_CONFIG names, unless
 * a file was loaded before.
 *
 * Errors: `config_invalid` for a NULL config, broken UTF-8, or a file that cannot be read.
 */
mailbearer_status mailbearer_config_load_env(mailbearer_config *config,
                                             const char *prefix,
                                             mailbearer_error **err);

/**
 * Has tokens brought by a function of the host program: sets `auth.grant` to `callback`. `userdata` is
 * handed to it untouched. With another `auth.grant` set behind it, and `auth.client_assertion` set to
 * `{"callback": true}`, it brings the application's assertion instead (RFC 7523).
 *
 * Errors: `config_invalid` for a NULL argument other than `userdata`.
 */
mailbearer_status mailbearer_config_set_token_callback(mailbearer_config *config,
                                                       mailbearer_token_fn callback,
                                                       void *userdata,
                                                       mailbearer_error **err);

/**
 * Has a function of the host program told what happens: tokens refreshed, connections made, recipients
 * refused. `userdata` is handed to it untouched. A callback of NULL takes it away again.
 *
 * Errors: `config_invalid` for a NULL config.
 */
mailbearer_status mailbearer_config_set_event_callback(mailbearer_config *config,
                                                       mailbearer_event_fn callback,
                                                       void *userdata,
                                                       mailbearer_error **err);

/**
 * Whether the token given last was refused: bring a new one, not a cached one.
 */
bool mailbearer_token_request_force(const mailbearer_token_request *request);

/**
 * Answers with a token, which is copied. `expires_at` is in seconds since 1970; 0 means unknown: then
 * the token's own expiry counts if it is a JWT, else it is good until refused. Set twice, the last one
 * counts. A NULL or broken text fails the call that needs the token.
 */
void mailbearer_token_answer_set(mailbearer_token_answer *answer,
                                 const char *secret,
                                 int64_t expires_at);

/**
 * Frees the options. NULL is fine. What was made from them goes on.
 */
void mailbearer_config_free(mailbearer_config *config);

/**
 * A call handle with the default time limit. The caller frees it with mailbearer_call_free.
 */
mailbearer_call *mailbearer_call_new(void);

/**
 * Sets the time limit of calls that start later, in milliseconds; 0 puts the default back. For a send it
 * covers everything up to the final dot: queue, token, connection, retries.
 */
void mailbearer_call_timeout_ms(mailbearer_call *call,
                                uint64_t timeout_ms);

/**
 * Ends the calls that were given this handle, now and later: they return `cancelled`, or
 * `delivery_uncertain` if the message was handed over and not yet answered for. It does not wait for
 * them. A cancelled handle stays cancelled: make a new one for the next call.
 */
void mailbearer_call_cancel(mailbearer_call *call);

/**
 * Frees the handle. NULL is fine. No call may be using it.
 */
void mailbearer_call_free(mailbearer_call *call);

/**
 * An empty message. The caller frees it with mailbearer_message_free.
 */
mailbearer_message *mailbearer_message_new(void);

/**
 * Sets a field that has one value, in place of what it had. An address is `ada@example.com` or
 * `Ada Lovelace <ada@example.com>`. Both texts are copied.
 *
 * Errors: `config_invalid` for a NULL argument or broken UTF-8.
 */
mailbearer_status mailbearer_message_set(mailbearer_message *message,
                                         const char *field,
                                         const char *value,
                                         mailbearer_error **err);

/**
 * Adds a value to a field that has several: `to`, `cc`, `bcc`, `reply_to`, `references`,
 * `list_unsubscribe`, `envelope.rcpt_to`. One value is one address: `"a@x, b@y"` is refused. Both texts
 * are copied.
 *
 * Errors: as mailbearer_message_set.
 */
mailbearer_status mailbearer_message_add(mailbearer_message *message,
                                         const char *field,
                                         const char *value,
                                         mailbearer_error **err);

/**
 * Adds a header of the caller's own, such as `X-Campaign`; the same name may be added again. Names that
 * have a field of their own are refused when the message is first used.
 *
 * Errors: as mailbearer_message_set.
 */
mailbearer_status mailbearer_message_header(mailbearer_message *message,
                                            const char *name,
                                            const char *value,
                                            mailbearer_error **err);

/**
 * Attaches a file, which is read when the message is sent. `filename` and `content_type` may be NULL: then
 * they follow from the path.
 *
 * Errors: as mailbearer_message_set; a file that cannot be read is told when the message is sent, with
 * `attachment_unreadable`.
 */
mailbearer_status mailbearer_message_attach_file(mailbearer_message *message,
                                                 const char *path,
                                                 const char *filename,
                                                 const char *content_type,
                                                 mailbearer_error **err);

/**
 * Attaches octets, which are copied. `filename`, `content_type` and `content_id` may be NULL; with a
 * `content_id` the html can show it as `cid:…`.
 *
 * Errors: as mailbearer_message_set.
 */
mailbearer_status mailbearer_message_attach_bytes(mailbearer_message *message,
                                                  const void *data,
                                                  size_t length,
                                                  const char *filename,
                                                  const char *content_type,
                                                  const char *content_id,
                                                  mailbearer_error **err);

/**
 * Attaches what `read` gives, which is asked once, on a thread of the library, when the server wants the
 * message: a send that fails after that is not repeated. `size` is how many octets there are, or -1: a
 * server with a limit is told ahead, and a stream with more or fewer is not delivered. `filename` and
 * `content_type` may be NULL; a `message/...` cannot be a stream.
 *
 * `read` is called by one thread at a time, and by none after mailbearer_message_free (for messages that
 * mailbearer_mailer_send_many took over: that function) returned, which waits for it if a cancelled or timed
 * out call left it running. Until then `userdata` must live.
 *
 * Errors: as mailbearer_message_set; a stream that cannot be read is told by the send, with
 * `attachment_unreadable`.
 */
mailbearer_status mailbearer_message_attach_stream(mailbearer_message *message,
                                                   mailbearer_read_fn read,
                                                   void *userdata,
                                                   int64_t size,
                                                   const char *filename,
                                                   const char *content_type,
                                                   mailbearer_error **err);

/**
 * Makes the message of finished MIME, which is copied. Bcc is removed, Message-ID and Date are put in
 * front if absent, line ends are repaired; nothing else changes. Beside it only `tag`, `envelope.…` and what
 * the server is asked for may be set; without an envelope the headers say who gets it.
 *
 * Errors: as mailbearer_message_set.
 */
mailbearer_status mailbearer_message_set_raw(mailbearer_message *message,
                                             const void *data,
                                             size_t length,
                                             mailbearer_error **err);

/**
 * Frees the message. NULL is fine.
 */
void mailbearer_message_free(mailbearer_message *message);

/**
 * A mailer from options. Touches no network. On success `*mailer` is the caller's to free. The config
 * stays the caller's, and may be freed.
 *
 * Errors: `config_invalid`, naming the option and the nearest right one.
 */
mailbearer_status mailbearer_mailer_new(const mailbearer_config *config,
                                        mailbearer_mailer **mailer,
                                        mailbearer_error **err);

/**
 * Sends one message, and returns once the server answered for it. `call` may be NULL: the default time
 * limit is 5 minutes and more for large messages. On success `*receipt` is the caller's to free; look at
 * its rejected recipients. It fails only if nobody was accepted.
 *
 * Errors: any code. mailbearer_error_retryable says whether the same call may be repeated;
 * `delivery_uncertain` (mailbearer_error_delivery_uncertain) that the message may have gone out all the
 * same.
 */
mailbearer_status mailbearer_mailer_send(const mailbearer_mailer *mailer,
                                         const mailbearer_message *message,
                                         mailbearer_call *call,
                                         mailbearer_receipt **receipt,
                                         mailbearer_error **err);

/**
 * Sends many messages side by side, with flat memory: pulls them with `next` as they are needed, and tells
 * `result` what became of each. Both are called on this thread, with `userdata`; `result` may be NULL. The
 * time limit of `call` is for each message; cancelling it ends the started ones and stops.
 *
 * It returns 0 if every message that was pulled was tried, however they fared: their own failures are told
 * to `result` alone. What would fail every message (100s, 300s, `auth_rejected`, `smtp_auth_disabled`)
 * stops the pulling; each pulled message is reported first, then this error is returned. `cancelled` is
 * returned when `next` returned less than 0 or the call was cancelled.
 */
mailbearer_status mailbearer_mailer_send_many(const mailbearer_mailer *mailer,
                                              mailbearer_next_fn next,
                                              mailbearer_result_fn result,
                                              void *userdata,
                                              mailbearer_call *call,
                                              mailbearer_error **err);

/**
 * Begins a sign-in, for the grants `authorization_code` and `device_code`. `method` is one of them, or
 * NULL for the configured one. With a `redirect_uri` mailbearer_login_finish ends it, with NULL
 * mailbearer_login_wait does. On success `*login` is the caller's to free.
 *
 * Errors: `config_invalid` if nobody needs to sign in; what the sign-in service refuses (300s, 600s).
 */
mailbearer_status mailbearer_mailer_login(const mailbearer_mailer *mailer,
                                          const char *method,
                                          const char *redirect_uri,
                                          mailbearer_call *call,
                                          mailbearer_login **login,
                                          mailbearer_error **err);

/**
 * Goes on with a sign-in that another process began and saved with mailbearer_login_save. On success
 * `*login` is the caller's to free.
 *
 * Errors: `login_invalid` for a text that is too old, was used before, or was tampered with.
 */
mailbearer_status mailbearer_mailer_resume_login(const mailbearer_mailer *mailer,
                                                 const char *saved,
                                                 mailbearer_login **login,
                                                 mailbearer_error **err);

/**
 * Walks the chain: DNS, TCP, TLS, greeting, token, claims, AUTH, MAIL FROM; sends nothing. It returns 0
 * and a report whenever the chain was walked: mailbearer_report_ok says whether every link held. On
 * success `*report` is the caller's to free.
 *
 * Errors: `cancelled`, `closed`.
 */
mailbearer_status mailbearer_mailer_verify(const mailbearer_mailer *mailer,
                                           mailbearer_call *call,
                                           mailbearer_report **report,
                                           mailbearer_error **err);

/**
 * The mailer's token source. On success `*tokens` is the caller's to free; mailer and token source may be
 * freed in any order.
 *
 * Errors: `config_invalid` for a mailer without `auth`.
 */
mailbearer_status mailbearer_mailer_tokens(const mailbearer_mailer *mailer,
                                           mailbearer_tokens **tokens,
                                           mailbearer_error **err);

/**
 * The octets that would be sent. On success `*bytes` is the caller's to free, with mailbearer_bytes_free
 * and the number in `*length`. They do not end in a NUL.
 *
 * Errors: `message_invalid`, `attachment_unreadable`.
 */
mailbearer_status mailbearer_mailer_render(const mailbearer_mailer *mailer,
                                           const mailbearer_message *message,
                                           uint8_t **bytes,
                                           size_t *length,
                                           mailbearer_error **err);

/**
 * A mailer for another mailbox, which shares tokens, connections and store with this one. The caller
 * frees it with mailbearer_mailer_free, in any order; NULL on failure.
 *
 * Errors: `config_invalid` if `username` is no address.
 */
mailbearer_mailer *mailbearer_mailer_for_mailbox(const mailbearer_mailer *mailer,
                                                 const char *username,
                                                 mailbearer_error **err);

/**
 * This process's numbers, all mailers together, as Prometheus' text format 0.0.4. The caller frees it with
 * mailbearer_string_free.
 */
char *mailbearer_prometheus(void);

/**
 * Tells this process's numbers, those of other mailers too, to an OpenTelemetry collector (OTLP/HTTP, JSON),
 * once. `endpoint` is its base URL; NULL: $OTEL_EXPORTER_OTLP_ENDPOINT, else http://localhost:4318. `call`
 * may be NULL.
 *
 * Errors: `config_invalid` naming the variable, `connect_failed`, `certificate_invalid`, `timed_out`,
 * `cancelled`.
 */
mailbearer_status mailbearer_mailer_export_metrics(const mailbearer_mailer *mailer,
                                                   const char *endpoint,
                                                   mailbearer_call *call,
                                                   mailbearer_error **err);

/**
 * The mailer's numbers as JSON: counters since it was made, and how its mailbox and tokens stand. The caller
 * frees it with mailbearer_string_free; NULL for NULL.
 */
char *mailbearer_mailer_metrics_json(const mailbearer_mailer *mailer);

/**
 * Refuses new sends with `closed`, waits for those that run in other threads, and cancels them when the
 * time limit of `call` is over (NULL: 30 seconds) or `call` is cancelled. A refresh token that was posted is
 * waited for besides, for at most 30 seconds: what comes back for it must be kept. May be repeated; still free
 * the mailer afterwards.
 *
 * Errors: `config_invalid` for a NULL mailer.
 */
mailbearer_status mailbearer_mailer_close(mailbearer_mailer *mailer,
                                          mailbearer_call *call,
                                          mailbearer_error **err);

/**
 * Frees the mailer; no call may be using it. NULL is fine. Open connections are closed without a word:
 * mailbearer_mailer_close takes leave properly.
 */
void mailbearer_mailer_free(mailbearer_mailer *mailer);

/**
 * The Message-ID with its angle brackets. Borrowed from the receipt; NULL for NULL.
 */
const char *mailbearer_receipt_message_id(const mailbearer_receipt *receipt);

/**
 * How many recipients the server took.
 */
size_t mailbearer_receipt_accepted_count(const mailbearer_receipt *receipt);

/**
 * How many recipients it refused.
 */
size_t mailbearer_receipt_rejected_count(const mailbearer_receipt *receipt);

/**
 * The address of a refused recipient, counted from 0. Borrowed from the receipt; NULL beyond the last.
 */
const char *mailbearer_receipt_rejected_address(const mailbearer_receipt *receipt,
                                                size_t index);

/**
 * What the server said to a refused recipient, such as `550 5.1.1 user unknown`. Borrowed from the
 * receipt; NULL beyond the last.
 */
const char *mailbearer_receipt_rejected_text(const mailbearer_receipt *receipt, size_t index);

/**
 * All of it as JSON: also the envelope, the server's reply, the size, the times. The caller frees it with
 * mailbearer_string_free; NULL for NULL.
 */
char *mailbearer_receipt_json(const mailbearer_receipt *receipt);

/**
 * Frees the receipt. NULL is fine. Not for the receipt of a result, which belongs to the result.
 */
void mailbearer_receipt_free(mailbearer_receipt *receipt);

/**
 * The message's own tag; NULL if it had none. Borrowed from the result.
 */
const char *mailbearer_result_tag(const mailbearer_result *result);

/**
 * The receipt; NULL if nobody was accepted. Borrowed from the result: do not free it.
 */
const mailbearer_receipt *mailbearer_result_receipt(const mailbearer_result *result);

/**
 * The error; NULL if the message was sent. Borrowed from the result: do not free it.
 */
const mailbearer_error *mailbearer_result_error(const mailbearer_result *result);

/**
 * Where the person goes. Borrowed from the login; NULL for NULL.
 */
const char *mailbearer_login_url(const mailbearer_login *login);

/**
 * What the person types there; NULL for `authorization_code`. Borrowed from the login.
 */
const char *mailbearer_login_user_code(const mailbearer_login *login);

/**
 * A sentence to show the person. Borrowed from the login; NULL for NULL.
 */
const char *mailbearer_login_message(const mailbearer_login *login);

/**
 * The sign-in as text, for another process to go on with by mailbearer_mailer_resume_login; once, within
 * 15 minutes. Keep it on the server: unless `store.key` seals it, it holds what proves the sign-in ours.
 * The caller frees it with mailbearer_string_free; NULL if this sign-in cannot be saved.
 */
char *mailbearer_login_save(const mailbearer_login *login);

/**
 * Waits until the person signed in: for device codes, and for `authorization_code` without a
 * `redirect_uri`. It ends when the sign-in expires, if not by the call's time limit before. On success
 * `*account` is the caller's to free.
 *
 * Errors: `login_declined`, `login_expired`, `login_invalid`, `account_mismatch`, `timed_out`,
 * `cancelled`, and what the sign-in service refuses.
 */
mailbearer_status mailbearer_login_wait(mailbearer_login *login,
                                        mailbearer_call *call,
                                        mailbearer_account **account,
                                        mailbearer_error **err);

/**
 * Ends the sign-in with what came to the `redirect_uri`: the whole URL, its query, or the form's body. On
 * success `*account` is the caller's to free.
 *
 * Errors: `login_invalid` for an answer to another sign-in, one used before, or too late;
 * `login_declined`, `account_mismatch`, and what the sign-in service refuses.
 */
mailbearer_status mailbearer_login_finish(mailbearer_login *login,
                                          const char *callback,
                                          mailbearer_call *call,
                                          mailbearer_account **account,
                                          mailbearer_error **err);

/**
 * Frees the sign-in, over or not; no call may be using it. NULL is fine. A saved one can still be resumed.
 */
void mailbearer_login_free(mailbearer_login *login);

/**
 * The mailbox. Borrowed from the account; NULL for NULL.
 */
const char *mailbearer_account_username(const mailbearer_account *account);

/**
 * Frees the account. NULL is fine.
 */
void mailbearer_account_free(mailbearer_account *account);

/**
 * A token source from options; those of smtp and limits are ignored. Touches no network. On success
 * `*tokens` is the caller's to free. The config stays the caller's, and may be freed.
 *
 * Errors: `config_invalid`, naming the option.
 */
mailbearer_status mailbearer_tokens_new(const mailbearer_config *config,
                                        mailbearer_tokens **tokens,
                                        mailbearer_error **err);

/**
 * A token: at once if a fresh one is there, else it is fetched; many callers share one request. `force`
 * fetches a new one in any case. On success `*token` is the caller's to free.
 *
 * Errors: those of the sign-in (300s), `store_failed`, `timed_out`, `cancelled`, network errors (600s).
 */
mailbearer_status mailbearer_tokens_get(const mailbearer_tokens *tokens,
                                        bool force,
                                        mailbearer_call *call,
                                        mailbearer_token **token,
                                        mailbearer_error **err);

/**
 * Says that a server refused exactly this token: the next get brings another. The token stays the
 * caller's to free.
 */
void mailbearer_tokens_invalidate(const mailbearer_tokens *tokens, const mailbearer_token *token);

/**
 * Takes over a sign-in that another program keeps, so that nobody need sign in again: `text` is MSAL's
 * serialised cache, or a file of mutt_oauth2.py (decrypted) or sasl-xoauth2. It is tried once before it is kept;
 * the other program should not go on with it. On success `*account` is the caller's to free.
 *
 * Errors: `login_invalid` if nothing in it fits, `config_invalid` if several accounts do, those of the sign-in
 * (300s), `store_failed`, `timed_out`, `cancelled`, network errors (600s).
 */
mailbearer_status mailbearer_tokens_import_login(const mailbearer_tokens *tokens,
                                                 const char *text,
                                                 mailbearer_call *call,
                                                 mailbearer_account **account,
                                                 mailbearer_error **err);

/**
 * Forgets the account and its tokens, here and in the store, and tells the service of a person's sign-in where it
 * wants to know; a later use asks for a sign-in again. A call that is under way ends as it would.
 *
 * Errors: `store_failed`; `config_invalid` for NULL tokens, or if several accounts are stored and none is named.
 */
mailbearer_status mailbearer_tokens_logout(const mailbearer_tokens *tokens,
                                           mailbearer_error **err);

/**
 * The token itself. Borrowed from the token; NULL for NULL.
 */
const char *mailbearer_token_secret(const mailbearer_token *token);

/**
 * When it expires, in seconds since 1970; 0 if nobody said.
 */
int64_t mailbearer_token_expires_at(const mailbearer_token *token);

/**
 * What goes behind `AUTH XOAUTH2 ` in SMTP, or answers IMAP's `+`: base64, as on the wire. `username` is
 * the mailbox; NULL means the one that the token is for. The caller frees it with mailbearer_string_free;
 * NULL if no mailbox is known, or an argument is wrong. It is a secret.
 */
char *mailbearer_token_xoauth2_base64(const mailbearer_token *token,
                                      const char *username);

/**
 * Frees the token and wipes it from memory. NULL is fine.
 */
void mailbearer_token_free(mailbearer_token *token);

/**
 * Frees the token source. NULL is fine. A mailer that it came from goes on.
 */
void mailbearer_tokens_free(mailbearer_tokens *tokens);

/**
 * The report as lines to be read by a person. The caller frees it with mailbearer_string_free; NULL for
 * NULL.
 */
char *mailbearer_report_text(const mailbearer_report *report);

/**
 * Whether every link held.
 */
bool mailbearer_report_ok(const mailbearer_report *report);

/**
 * Frees the report. NULL is fine.
 */
void mailbearer_report_free(mailbearer_report *report);

/**
 * The number of the code: the status that the call returned. 0 for NULL.
 */
int32_t mailbearer_error_number(const mailbearer_error *error);

/**
 * The stable name of the code, such as `auth_rejected`. Borrowed from the error; empty for NULL.
 */
const char *mailbearer_error_code(const mailbearer_error *error);

/**
 * What happened, in lower case and without a full stop; never with a secret. Borrowed from the error;
 * empty for NULL.
 */
const char *mailbearer_error_message(const mailbearer_error *error);

/**
 * The cure, as a sentence or a command; NULL where none is known. Borrowed from the error.
 */
const char *mailbearer_error_hint(const mailbearer_error *error);

/**
 * Whether the same call may be repeated without delivering the message twice.
 */
bool mailbearer_error_retryable(const mailbearer_error *error);

/**
 * How long the server asked to wait, in milliseconds; -1 if it did not say.
 */
int64_t mailbearer_error_retry_after_ms(const mailbearer_error *error);

/**
 * Whether the message may have been delivered although the call failed: never send it again by program.
 */
bool mailbearer_error_delivery_uncertain(const mailbearer_error *error);

/**
 * The three digits of the SMTP reply that caused it; 0 if there was none.
 */
int mailbearer_error_smtp_code(const mailbearer_error *error);

/**
 * All of it as JSON: also the field at fault, the refused recipients, the server's reply, what the token
 * endpoint said. The caller frees it with mailbearer_string_free; NULL for NULL.
 */
char *mailbearer_error_json(const mailbearer_error *error);

/**
 * Frees the error. NULL is fine. Not for the error of a result, which belongs to the result.
 */
void mailbearer_error_free(mailbearer_error *error);

/**
 * The version of the library that runs, such as `0.1.0`; compare it with MAILBEARER_VERSION, the one
 * that was compiled against. Never NULL; valid for ever.
 */
const char *mailbearer_version(void);

/**
 * Frees a `char *` that this library returned. NULL is fine. Not for `const char *`, which belongs to
 * its object.
 */
void mailbearer_string_free(char *string);

/**
 * Frees the octets of mailbearer_mailer_render; `length` is the number given with them. NULL is fine.
 */
void mailbearer_bytes_free(uint8_t *bytes,
                           size_t length);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* MAILBEARER_H */
