/* mailbearer: sends mail through Microsoft 365, Gmail and others with OAuth2 tokens.
 *
 * Made from bindings-c/src by cbindgen: do not edit; `make header` rewrites it.
 *
 * Errors. A function that can fail returns a status: 0, or the number of an error code. Its last argument `err`
 * may be NULL. It is written on failure only; free what you receive with mailbearer_error_free(). Outputs are
 * written on success only. NULL where it is not allowed, and text that is not UTF-8, are `config_invalid`.
 * Nothing is printed, except for a fault of the library itself (`internal`). No failure ends your program.
 *
 * Owner. Each function says who frees what. What you pass in is copied, except for the messages that
 * mailbearer_mailer_send_many() takes over. What is "borrowed" from an object lives as long as that object: do not
 * free it. Free every other object exactly once, with the function that bears its name; each of them takes NULL.
 * Text is UTF-8 and ends in a NUL; a NUL inside of data becomes U+FFFD.
 *
 * Threads. Each function says which thread may call it. "Many at once": any thread, at the same time as others,
 * for the same object too. "One at a time": any thread, but no two at once for the same object. "One": any thread,
 * once, when nobody uses the object any more. A blocking call waits on your thread, which goes on taking signals.
 * The library works on threads of its own, which block all signals. It replaces no signal handler, and no SIGPIPE
 * reaches your program. After fork the child may use its objects. Your callbacks must not throw and must not
 * longjmp.
 *
 * Time. Every blocking call ends by itself. A mailbearer_call sets its time limit and cancels it. */


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
 * Threads: it never changes; many threads may read it at once.
 */
typedef struct mailbearer_account mailbearer_account;

/**
 * What one call, or several, may do differently: a time limit, and a way to cancel. Wherever a function takes
 * one, NULL means the defaults, and no cancelling.
 *
 * Threads: every function of it may be called by any thread at any time; that is what it is for. Not in a
 * signal handler: let a thread that waits for signals (sigwait) cancel.
 */
typedef struct mailbearer_call mailbearer_call;

/**
 * The options of a mailer or of a token source. What you set by name wins over the environment, and the
 * environment wins over the file, in whatever order you gave them.
 *
 * Threads: one at a time. Making mailers from it only reads it.
 */
typedef struct mailbearer_config mailbearer_config;

/**
 * Why a call failed. A function that can fail takes a `mailbearer_error **err` and writes it on failure only; it
 * never reads it. `err` may be NULL.
 *
 * Owner: free what you receive with mailbearer_error_free().
 * Threads: it never changes; many threads may read it at once.
 */
typedef struct mailbearer_error mailbearer_error;

/**
 * A sign-in under way. Show the person the message, or send their browser to the URL. Then wait for them, or
 * finish with what came back.
 *
 * Threads: what is borrowed from it never changes. Only one thread may wait or finish at a time.
 */
typedef struct mailbearer_login mailbearer_login;

/**
 * Sends mail: it gets tokens, keeps connections open and tries again where that is safe. Make one when the
 * program starts, and keep it.
 *
 * Threads: every function that takes it as `const` may be called by many threads at once.
 * Processes: a forked child may use it; the child opens connections of its own.
 */
typedef struct mailbearer_mailer mailbearer_mailer;

/**
 * A message to be sent. Its fields:
 * - who: `from`, `sender`, `reply_to`, `to`, `cc`, `bcc`; `envelope.mail_from` and `envelope.rcpt_to` if the
 *   envelope is not to follow from them
 * - what: `subject`, `text`, `html`, `calendar` (an iCalendar object, RFC 5545), `message_id`, `date` (RFC 3339),
 *   `in_reply_to`, `references`, `list_unsubscribe`, `priority` (`high`, `normal`, `low`)
 * - `tag`: your own string, which comes back in results and errors
 * - what you ask of the server: `dsn.notify` (`never`, or some of `success`, `failure`, `delay`), `dsn.return`
 *   (`full`, `headers`) and `dsn.envelope_id` (RFC 3461), `require_tls` (`true`; RFC 8689), `hold_for` (such as
 *   `2h`) or `hold_until` (RFC 3339; RFC 4865). If the server cannot do it, the send fails with `capability_missing`
 *
 * Message-ID and Date are made when the message is first used. They stay the same when it is sent again, until a
 * field changes. A wrong field is told when the message is first used: `message_invalid` names the field.
 *
 * Threads: one at a time may change it. Sending only reads it: many threads may send it at once.
 */
typedef struct mailbearer_message mailbearer_message;

/**
 * The messages that a mailer with the provider `memory` kept, oldest first; see mailbearer_mailer_outbox().
 *
 * Threads: it never changes; many threads may read it at once.
 */
typedef struct mailbearer_outbox mailbearer_outbox;

/**
 * The server took the message for at least one recipient. The receipt also names those that it refused.
 *
 * Threads: it never changes; many threads may read it at once.
 */
typedef struct mailbearer_receipt mailbearer_receipt;

/**
 * The way from the server's name to MAIL FROM: what was seen at each link, and what to do.
 *
 * Threads: it never changes; many threads may read it at once.
 */
typedef struct mailbearer_report mailbearer_report;

/**
 * What became of one message: it has either a receipt or an error.
 *
 * Owner: it and all that is borrowed from it live until the callback that was given it returns; free nothing.
 * Threads: only the thread that runs the callback.
 */
typedef struct mailbearer_result mailbearer_result;

/**
 * An access token. It is a secret: who has it may send as the mailbox.
 *
 * Threads: it never changes; many threads may read it at once.
 */
typedef struct mailbearer_token mailbearer_token;

/**
 * Where a token callback puts its token. It lives until the callback returns.
 */
typedef struct mailbearer_token_answer mailbearer_token_answer;

/**
 * What a token callback is asked for. It lives until the callback returns.
 */
typedef struct mailbearer_token_request mailbearer_token_request;

/**
 * Gets tokens and keeps them fresh. One that a mailer gave shares the mailer's tokens.
 *
 * Threads: every function that takes it as `const` may be called by many threads at once.
 */
typedef struct mailbearer_tokens mailbearer_tokens;

/**
 * 0 is success; any other value is the number of an error code. Numbers are never reused and never
 * change their meaning; later versions may add some.
 */
typedef int32_t mailbearer_status;

/**
 * Your function that brings a token of your own when one is needed. Put it into `answer` with
 * mailbearer_token_answer_set() and return 0. Anything else fails the call that needs the token, with
 * `token_provider_failed`.
 *
 * Threads: it runs on a thread of the library, with all signals blocked, and several mailers may call it at the
 * same time: lock what it touches. It may block and may call the library.
 * Owner: `userdata` is yours and must live as long as anything made from the config.
 */
typedef int (*mailbearer_token_fn)(void *userdata,
                                   const mailbearer_token_request *request,
                                   mailbearer_token_answer *answer);

/**
 * Your function that is told what happened, as JSON: `{"name": "token.refreshed", "fields": {…}}`.
 *
 * It is called by a thread that is inside a blocking call of this library, while the call waits and once more
 * before it returns; never by two threads at once, and never by a thread of the library. It may call the
 * library, but not free or close the object whose call it interrupts.
 * Owner: `json` is borrowed until your function returns. It holds no token and no secret.
 * While no blocking call is made, the newest 1,024 events are kept.
 */
typedef void (*mailbearer_event_fn)(void *userdata, const char *json);

/**
 * Your function that writes at most `length` octets to `buffer` and returns how many; 0 at the end, a negative
 * number if it cannot. It runs on a thread of the library and may block.
 */
typedef int64_t (*mailbearer_read_fn)(void *userdata, void *buffer, size_t length);

/**
 * Your function that brings the next message of mailbearer_mailer_send_many(), on the thread that called it.
 * Return 1 with a message in `*out`, 0 when there are no more, less than 0 to stop with `cancelled`.
 * The library owns the message in `*out` from then on: do not free it.
 */
typedef int (*mailbearer_next_fn)(void *userdata, mailbearer_message **out);

/**
 * Your function that is told what became of each message of mailbearer_mailer_send_many(): once for each, in the
 * order in which the answers come. Use tags to tell them apart. It runs on the thread that called.
 * Return 0 to go on. Anything else stops the pulling; messages under way go on and are still reported.
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
 * mailbearer_status_str() gives the stable name of a status, such as `auth_rejected`; `ok` for 0, `unknown` for a
 * number that this version does not know.
 * Owner: nobody frees it; it is never NULL and lives for ever. Threads: many at once.
 */
const char *mailbearer_status_str(mailbearer_status status);

/**
 * mailbearer_config_new() makes options without any value.
 * Owner: free them with mailbearer_config_free(). Threads: many at once.
 */
mailbearer_config *mailbearer_config_new(void);

/**
 * mailbearer_config_set() sets one option by its dotted name, such as `auth.client_id`, from text: `587`, `true`,
 * `30s`; lists, tables and null as JSON. It replaces a value set before.
 * Keys: `provider`, `cloud`, `username`, `from`, `timeout`, `partial`, `files`, `danger_token_to_host`, `trace`,
 * `auth`, `auth.grant`, `auth.tenant`, `auth.client_id`, `auth.client_secret`, `auth.certificate`,
 * `auth.certificate.password`, `auth.certificate.send_chain`, `auth.certificate.algorithm`, `auth.client_assertion`,
 * `auth.client_assertion.value`, `auth.client_assertion.github`, `auth.client_assertion.callback`, `auth.scopes`,
 * `auth.authority`, `auth.token_endpoint`, `auth.authorization_endpoint`, `auth.device_authorization_endpoint`,
 * `auth.revocation_endpoint`, `auth.redirect_uri`, `auth.prompt`, `auth.login_hint`, `auth.domain_hint`,
 * `auth.client_auth`, `auth.claims`, `auth.response_mode`, `auth.refresh_token`, `auth.key_file`, `auth.issuer`,
 * `auth.private_key`, `auth.subject`, `auth.identity_client_id`, `auth.object_id`, `auth.resource_id`,
 * `auth.access_token`, `auth.expires_at`, `auth.command`, `auth.timeout`, `auth.callback`, `smtp`, `smtp.host`,
 * `smtp.port`, `smtp.security`, `smtp.mechanism`, `smtp.initial_response`, `smtp.hello_name`, `smtp.local_address`,
 * `smtp.proxy`, `smtp.pipelining`, `smtp.chunking`, `smtp.timeouts`, `smtp.timeouts.connect`, `smtp.timeouts.tls`,
 * `smtp.timeouts.greeting`, `smtp.timeouts.command`, `smtp.timeouts.progress`, `smtp.timeouts.final_reply`,
 * `limits`, `limits.max_connections`, `limits.messages_per_minute`, `limits.max_messages_per_connection`,
 * `limits.idle_timeout`, `limits.max_age`, `limits.breaker`, `limits.shared`, `tls`, `tls.roots`, `store`,
 * `store.kind`, `store.path`, `store.url`, `store.key`, `retry`, `retry.attempts`, `retry.base_delay`,
 * `retry.max_delay`, `http`, `http.timeout`, `http.proxy`, `dkim`, `dkim.domain`, `dkim.selector`,
 * `dkim.private_key`; docs/options.md says what each is.
 * Owner: both texts are copied. Threads: one at a time.
 * Errors: `config_invalid` for a NULL argument or broken UTF-8. Unknown names and wrong values are told by
 * mailbearer_mailer_new() and mailbearer_tokens_new(), with the nearest right name.
 */
mailbearer_status mailbearer_config_set(mailbearer_config *config,
                                        const char *key,
                                        const char *value,
                                        mailbearer_error **err);

/**
 * mailbearer_config_set_json() sets one option, or a whole table of them, from JSON; tables merge with what was set
 * before. An empty `key` stands for all options: `{"provider": "gmail", "auth": {…}}`.
 * Owner: both texts are copied. Threads: one at a time.
 * Errors: as mailbearer_config_set(), and `config_invalid` for text that is not JSON.
 */
mailbearer_status mailbearer_config_set_json(mailbearer_config *config,
                                             const char *key,
                                             const char *json,
                                             mailbearer_error **err);

/**
 * mailbearer_config_load_file() reads options from a TOML file. With a `path` of NULL it looks in the usual places
 * ($MAILBEARER_CONFIG, the user's file, the system's); finding none is fine. A `profile` of NULL is
 * $MAILBEARER_PROFILE, or none. A second file lies over the first. With a file, sign-ins are kept in the user's
 * state folder, unless `store` says otherwise.
 * Owner: both texts are copied. Threads: one at a time.
 * Errors: `config_invalid`, with the file, and the line if it is not TOML.
 */
mailbearer_status mailbearer_config_load_file(mailbearer_config *config,
                                              const char *path,
                                              const char *profile,
                                              mailbearer_error **err);

/**
 * mailbearer_config_load_env() reads options from the environment as it is now: MAILBEARER_AUTH__CLIENT_ID is
 * `auth.client_id`. A `prefix` of NULL is `MAILBEARER_`. It also reads the file that $MAILBEARER_CONFIG names,
 * unless a file was loaded before.
 * Owner: the text is copied. Threads: one at a time, and none that changes the environment.
 * Errors: `config_invalid` for a NULL config, broken UTF-8, or a file that cannot be read.
 */
mailbearer_status mailbearer_config_load_env(mailbearer_config *config,
                                             const char *prefix,
                                             mailbearer_error **err);

/**
 * mailbearer_config_set_token_callback() has tokens brought by a function of yours: it sets `auth.grant` to
 * `callback`. With another `auth.grant` set after it and `auth.client_assertion` set to `{"callback": true}`, the
 * function brings the application's assertion instead (RFC 7523).
 * Owner: `userdata` is yours, is handed to the function untouched, and must live as long as anything made from
 * the config. Threads: one at a time. Errors: `config_invalid` for a NULL argument other than `userdata`.
 */
mailbearer_status mailbearer_config_set_token_callback(mailbearer_config *config,
                                                       mailbearer_token_fn callback,
                                                       void *userdata,
                                                       mailbearer_error **err);

/**
 * mailbearer_config_set_event_callback() has a function of yours told what happens: tokens renewed, connections made,
 * recipients refused. A callback of NULL takes it away again.
 * Owner: `userdata` is yours, is handed to the function untouched, and must live as long as anything made from
 * the config. Threads: one at a time. Errors: `config_invalid` for a NULL config.
 */
mailbearer_status mailbearer_config_set_event_callback(mailbearer_config *config,
                                                       mailbearer_event_fn callback,
                                                       void *userdata,
                                                       mailbearer_error **err);

/**
 * mailbearer_token_request_force() says whether the last token was refused: bring a new one, not a cached one.
 * Threads: that of the token callback.
 */
bool mailbearer_token_request_force(const mailbearer_token_request *request);

/**
 * mailbearer_token_answer_set() answers with a token. `expires_at` is in seconds since 1970. 0 means unknown: then
 * the token's own expiry counts if it is a JWT, else it is good until refused. The last call counts.
 * Owner: the token is copied. Threads: that of the token callback.
 * A NULL or broken text fails the call that needs the token.
 */
void mailbearer_token_answer_set(mailbearer_token_answer *answer,
                                 const char *secret,
                                 int64_t expires_at);

/**
 * mailbearer_config_free() frees the options. NULL is fine. What was made from them goes on.
 * Threads: one, when nobody uses them any more.
 */
void mailbearer_config_free(mailbearer_config *config);

/**
 * mailbearer_call_new() makes a call handle with the defaults.
 * Owner: free it with mailbearer_call_free(). Threads: many at once.
 */
mailbearer_call *mailbearer_call_new(void);

/**
 * mailbearer_call_timeout_ms() sets the time limit of calls that start later, in milliseconds; 0 is the default.
 * For a send it covers all that comes before the final dot: waiting for a turn, token, connection, retries.
 * Threads: any, at any time.
 */
void mailbearer_call_timeout_ms(mailbearer_call *call,
                                uint64_t timeout_ms);

/**
 * mailbearer_call_partial() says what a send does when the server refuses some of the recipients: `deliver` to
 * the others, or `refuse` to send at all. NULL is what the option `partial` says. The text is copied.
 * Threads: any, at any time. Errors: `config_invalid` for another word.
 */
mailbearer_status mailbearer_call_partial(mailbearer_call *call,
                                          const char *partial,
                                          mailbearer_error **err);

/**
 * mailbearer_call_min_remaining_ms() says how long a token that mailbearer_tokens_get() gives must still be good;
 * 0 is the default. A token that ends sooner is renewed first.
 * Threads: any, at any time.
 */
void mailbearer_call_min_remaining_ms(mailbearer_call *call,
                                      uint64_t min_remaining_ms);

/**
 * mailbearer_call_cancel() ends the calls that were given this handle, now and later. They return `cancelled`, or
 * `delivery_uncertain` if the message was handed over and not yet answered for. It does not wait for them.
 * A cancelled handle stays cancelled: make a new one for the next call.
 * Threads: any, at any time.
 */
void mailbearer_call_cancel(mailbearer_call *call);

/**
 * mailbearer_call_free() frees the handle. NULL is fine.
 * Threads: any, when no call uses it any more.
 */
void mailbearer_call_free(mailbearer_call *call);

/**
 * mailbearer_message_new() makes an empty message.
 * Owner: free it with mailbearer_message_free(). Threads: many at once.
 */
mailbearer_message *mailbearer_message_new(void);

/**
 * mailbearer_message_set() sets a field that has one value, in place of what it had. An address is
 * `ada@example.com` or `Ada Lovelace <ada@example.com>`.
 * Owner: both texts are copied. Threads: one at a time.
 * Errors: `config_invalid` for a NULL argument or broken UTF-8.
 */
mailbearer_status mailbearer_message_set(mailbearer_message *message,
                                         const char *field,
                                         const char *value,
                                         mailbearer_error **err);

/**
 * mailbearer_message_add() adds a value to a field that has several: `to`, `cc`, `bcc`, `reply_to`, `references`,
 * `list_unsubscribe`, `envelope.rcpt_to`. One value is one address: `"a@x, b@y"` is refused.
 * Owner: both texts are copied. Threads: one at a time. Errors: as mailbearer_message_set().
 */
mailbearer_status mailbearer_message_add(mailbearer_message *message,
                                         const char *field,
                                         const char *value,
                                         mailbearer_error **err);

/**
 * mailbearer_message_header() adds a header of your own, such as `X-Campaign`; you may add the same name again. Names
 * that have a field of their own are refused when the message is first used.
 * Owner: both texts are copied. Threads: one at a time. Errors: as mailbearer_message_set().
 */
mailbearer_status mailbearer_message_header(mailbearer_message *message,
                                            const char *name,
                                            const char *value,
                                            mailbearer_error **err);

/**
 * mailbearer_message_attach_file() attaches a file, which is read when the message is sent. `filename` and
 * `content_type` may be NULL: then they follow from the path.
 * Owner: the texts are copied. Threads: one at a time.
 * Errors: as mailbearer_message_set(); a file that cannot be read fails the send with `attachment_unreadable`.
 */
mailbearer_status mailbearer_message_attach_file(mailbearer_message *message,
                                                 const char *path,
                                                 const char *filename,
                                                 const char *content_type,
                                                 mailbearer_error **err);

/**
 * mailbearer_message_attach_bytes() attaches octets. `filename`, `content_type` and `content_id` may be NULL. With a
 * `content_id` the html can show the attachment as `cid:…`.
 * Owner: octets and texts are copied. Threads: one at a time. Errors: as mailbearer_message_set().
 */
mailbearer_status mailbearer_message_attach_bytes(mailbearer_message *message,
                                                  const void *data,
                                                  size_t length,
                                                  const char *filename,
                                                  const char *content_type,
                                                  const char *content_id,
                                                  mailbearer_error **err);

/**
 * mailbearer_message_attach_stream() attaches what `read` gives. The library calls `read` when the server wants the
 * message, and only once to its end: a send that fails after that is not repeated. `size` is how many octets
 * there are, or -1; with it a server that has a limit is told first, and a stream of another size is not
 * delivered. `filename` and `content_type` may be NULL; a `message/...` cannot be a stream.
 *
 * Owner: the texts are copied; `userdata` is yours and must live until mailbearer_message_free() returns, or
 * mailbearer_mailer_send_many() for a message that it took. Both wait for a `read` that is still running.
 * Threads: one at a time. `read` runs on one thread of the library at a time. If it frees its own message, the
 * send fails with `attachment_unreadable`.
 * Errors: as mailbearer_message_set(); a stream that cannot be read fails the send with `attachment_unreadable`.
 */
mailbearer_status mailbearer_message_attach_stream(mailbearer_message *message,
                                                   mailbearer_read_fn read,
                                                   void *userdata,
                                                   int64_t size,
                                                   const char *filename,
                                                   const char *content_type,
                                                   mailbearer_error **err);

/**
 * mailbearer_message_set_raw() makes the message of finished MIME. Bcc is removed, Message-ID and Date are put in
 * front if they are absent, line ends are repaired; nothing else changes. Beside it you may set only `tag`,
 * `envelope.…` and what you ask of the server; without an envelope the headers say who gets it.
 * Owner: the octets are copied. Threads: one at a time. Errors: as mailbearer_message_set().
 */
mailbearer_status mailbearer_message_set_raw(mailbearer_message *message,
                                             const void *data,
                                             size_t length,
                                             mailbearer_error **err);

/**
 * mailbearer_message_free() frees the message. NULL is fine. If a cancelled call left a `read` of its stream running, it
 * waits for that; called in that very `read`, it does not wait.
 * Threads: one, when no call uses the message any more.
 */
void mailbearer_message_free(mailbearer_message *message);

/**
 * mailbearer_mailer_new() checks the options and makes a mailer; it opens no connection.
 * Owner: free *mailer with mailbearer_mailer_free(). The config stays yours and may be freed at once.
 * Threads: many at once. Errors: `config_invalid`, with the option and the nearest right name.
 */
mailbearer_status mailbearer_mailer_new(const mailbearer_config *config,
                                        mailbearer_mailer **mailer,
                                        mailbearer_error **err);

/**
 * mailbearer_mailer_send() sends one message and returns when the server has answered for it.
 * It fails only if the server took nobody; the receipt names the recipients that it refused.
 * Without a time limit in `call` it takes 5 minutes at most, and longer for large messages.
 *
 * Owner: free *receipt with mailbearer_receipt_free(). The message stays yours and may be sent again.
 * Threads: many at once, with the same message too.
 * Errors: any code. mailbearer_error_retryable() says whether you may repeat the same call;
 * mailbearer_error_delivery_uncertain() says that the message may have arrived although the call failed.
 */
mailbearer_status mailbearer_mailer_send(const mailbearer_mailer *mailer,
                                         const mailbearer_message *message,
                                         mailbearer_call *call,
                                         mailbearer_receipt **receipt,
                                         mailbearer_error **err);

/**
 * mailbearer_mailer_send_many() sends many messages side by side. It calls `next` for each message when it is
 * needed and `result` once for each message; memory stays flat. `result` may be NULL.
 * The time limit of `call` is for each message; cancelling `call` ends the messages under way and stops.
 *
 * Owner: the messages belong to the library; `userdata` is yours and must live until the call returns.
 * Threads: many at once. Both functions run on the thread that called.
 * Returns: 0 if every message was tried; what became of each is told to `result` alone.
 * Errors: what would fail every message (100s, 300s, `auth_rejected`, `smtp_auth_disabled`), after each message
 * that `next` brought was reported; `cancelled` if `next` returned less than 0 or the call was cancelled.
 */
mailbearer_status mailbearer_mailer_send_many(const mailbearer_mailer *mailer,
                                              mailbearer_next_fn next,
                                              mailbearer_result_fn result,
                                              void *userdata,
                                              mailbearer_call *call,
                                              mailbearer_error **err);

/**
 * mailbearer_mailer_warm() gets the token and opens a connection, so that the first send need not wait for them.
 * Threads: many at once. Errors: those of mailbearer_mailer_send() up to the sign-in at the mail server.
 */
mailbearer_status mailbearer_mailer_warm(const mailbearer_mailer *mailer,
                                         mailbearer_call *call,
                                         mailbearer_error **err);

/**
 * mailbearer_mailer_login() begins a sign-in of a person, for the grants `authorization_code` and `device_code`.
 * `method` is one of them; NULL is the configured one. `login_hint` is the account to offer, or NULL.
 * With a `redirect_uri` end it by mailbearer_login_finish(), with NULL by mailbearer_login_wait().
 *
 * Owner: free *login with mailbearer_login_free(). The texts are copied.
 * Threads: many at once.
 * Errors: `config_invalid` if nobody needs to sign in; what the sign-in service refuses (300s, 600s).
 */
mailbearer_status mailbearer_mailer_login(const mailbearer_mailer *mailer,
                                          const char *method,
                                          const char *redirect_uri,
                                          const char *login_hint,
                                          mailbearer_call *call,
                                          mailbearer_login **login,
                                          mailbearer_error **err);

/**
 * mailbearer_mailer_resume_login() goes on with a sign-in that another process saved by mailbearer_login_save().
 * Owner: free *login with mailbearer_login_free(). `saved` is copied.
 * Threads: many at once. Errors: `login_invalid` for a text that is too old, was used before or was changed.
 */
mailbearer_status mailbearer_mailer_resume_login(const mailbearer_mailer *mailer,
                                                 const char *saved,
                                                 mailbearer_login **login,
                                                 mailbearer_error **err);

/**
 * mailbearer_mailer_verify() checks the whole way: DNS, TCP, TLS, greeting, token, claims, AUTH, MAIL FROM.
 * It sends nothing, unless `send_to` is an address: then it sends one real message there, which is the only
 * proof of SendAs and of a quota that is not used up. `send_to` may be NULL.
 *
 * Owner: free *report with mailbearer_report_free(). Threads: many at once.
 * Returns: 0 and a report whenever the way was walked; mailbearer_report_ok() says whether every link held.
 * Errors: `cancelled`, `closed`.
 */
mailbearer_status mailbearer_mailer_verify(const mailbearer_mailer *mailer,
                                           const char *send_to,
                                           mailbearer_call *call,
                                           mailbearer_report **report,
                                           mailbearer_error **err);

/**
 * mailbearer_mailer_tokens() gives the mailer's token source, for programs that speak IMAP beside.
 * Owner: free *tokens with mailbearer_tokens_free(); mailer and token source may be freed in any order.
 * Threads: many at once. Errors: `config_invalid` for a mailer without `auth`.
 */
mailbearer_status mailbearer_mailer_tokens(const mailbearer_mailer *mailer,
                                           mailbearer_tokens **tokens,
                                           mailbearer_error **err);

/**
 * mailbearer_mailer_render() gives the octets that mailbearer_mailer_send() would send. They do not end in a NUL.
 * Owner: free *bytes with mailbearer_bytes_free() and the number in *length.
 * Threads: many at once. Errors: `message_invalid`, `attachment_unreadable`.
 */
mailbearer_status mailbearer_mailer_render(const mailbearer_mailer *mailer,
                                           const mailbearer_message *message,
                                           uint8_t **bytes,
                                           size_t *length,
                                           mailbearer_error **err);

/**
 * mailbearer_mailer_for_mailbox() makes a mailer for another mailbox. It shares tokens, connections and store
 * with this one. `from` is its sender, such as `Orders <orders@example.com>`; NULL is the mailbox itself.
 * Owner: free the mailer that it returns with mailbearer_mailer_free(), in any order; NULL on failure.
 * Threads: many at once. Errors: `config_invalid` if `username` or `from` is no address.
 */
mailbearer_mailer *mailbearer_mailer_for_mailbox(const mailbearer_mailer *mailer,
                                                 const char *username,
                                                 const char *from,
                                                 mailbearer_error **err);

/**
 * mailbearer_mailer_outbox() gives what a mailer with the provider `memory` kept of its last 1,000 messages, for
 * tests of your program; nothing for other providers.
 * Owner: free *outbox with mailbearer_outbox_free(). It never changes; ask again after the next send.
 * Threads: many at once. Errors: `config_invalid` for a NULL argument.
 */
mailbearer_status mailbearer_mailer_outbox(const mailbearer_mailer *mailer,
                                           mailbearer_outbox **outbox,
                                           mailbearer_error **err);

/**
 * mailbearer_prometheus() gives the numbers of all mailers of this process, in Prometheus' text format 0.0.4.
 * Owner: free the text with mailbearer_string_free(). Threads: many at once.
 */
char *mailbearer_prometheus(void);

/**
 * mailbearer_mailer_export_metrics() sends the numbers of all mailers of this process to an OpenTelemetry
 * collector (OTLP/HTTP, JSON), once. `endpoint` is its base URL; NULL is $OTEL_EXPORTER_OTLP_ENDPOINT, else
 * http://localhost:4318. Threads: many at once.
 * Errors: `config_invalid` with the variable's name, `connect_failed`, `certificate_invalid`, `timed_out`,
 * `cancelled`.
 */
mailbearer_status mailbearer_mailer_export_metrics(const mailbearer_mailer *mailer,
                                                   const char *endpoint,
                                                   mailbearer_call *call,
                                                   mailbearer_error **err);

/**
 * mailbearer_mailer_metrics_json() gives the mailer's numbers as JSON: what it has done since it was made, and
 * how its mailbox and its tokens stand now.
 * Owner: free the text with mailbearer_string_free(); NULL for NULL. Threads: many at once.
 */
char *mailbearer_mailer_metrics_json(const mailbearer_mailer *mailer);

/**
 * mailbearer_mailer_close() refuses new sends with `closed`, waits for the sends of other threads and then says
 * QUIT to the servers. When the time limit of `call` is over (NULL: 30 seconds) or `call` is cancelled, it
 * cancels those sends. If a refresh token is being renewed, it waits up to 30 seconds more, so that the new one
 * is kept. You may call it again.
 *
 * Owner: the mailer stays yours; free it afterwards. Threads: any, but not in a callback of this mailer.
 * Errors: `config_invalid` for a NULL mailer, and in a callback of this mailer or of a message that it sends:
 * it would wait for that callback.
 */
mailbearer_status mailbearer_mailer_close(mailbearer_mailer *mailer,
                                          mailbearer_call *call,
                                          mailbearer_error **err);

/**
 * mailbearer_mailer_free() frees the mailer; NULL is fine. Open connections are dropped without QUIT: call
 * mailbearer_mailer_close() first.
 * Threads: one, when no call uses the mailer any more.
 */
void mailbearer_mailer_free(mailbearer_mailer *mailer);

/**
 * mailbearer_receipt_message_id() gives the Message-ID with its angle brackets.
 * Owner: borrowed from the receipt; NULL for NULL. Threads: many at once.
 */
const char *mailbearer_receipt_message_id(const mailbearer_receipt *receipt);

/**
 * mailbearer_receipt_accepted_count() says how many recipients the server took; 0 for NULL.
 * Threads: many at once.
 */
size_t mailbearer_receipt_accepted_count(const mailbearer_receipt *receipt);

/**
 * mailbearer_receipt_rejected_count() says how many recipients the server refused; 0 for NULL.
 * Threads: many at once.
 */
size_t mailbearer_receipt_rejected_count(const mailbearer_receipt *receipt);

/**
 * mailbearer_receipt_rejected_address() gives the address of a refused recipient, counted from 0.
 * Owner: borrowed from the receipt; NULL beyond the last. Threads: many at once.
 */
const char *mailbearer_receipt_rejected_address(const mailbearer_receipt *receipt, size_t index);

/**
 * mailbearer_receipt_rejected_text() gives what the server said to a refused recipient, such as
 * `550 5.1.1 user unknown`.
 * Owner: borrowed from the receipt; NULL beyond the last. Threads: many at once.
 */
const char *mailbearer_receipt_rejected_text(const mailbearer_receipt *receipt, size_t index);

/**
 * mailbearer_receipt_json() gives all of it as JSON: also the envelope, the server's reply, the size, the times.
 * Owner: free the text with mailbearer_string_free(); NULL for NULL. Threads: many at once.
 */
char *mailbearer_receipt_json(const mailbearer_receipt *receipt);

/**
 * mailbearer_receipt_free() frees the receipt. NULL is fine. Not for the receipt of a result, which belongs to the
 * result. Threads: one, when nobody reads it any more.
 */
void mailbearer_receipt_free(mailbearer_receipt *receipt);

/**
 * mailbearer_result_tag() gives the message's own tag.
 * Owner: borrowed from the result; NULL if it had none. Threads: that of the callback.
 */
const char *mailbearer_result_tag(const mailbearer_result *result);

/**
 * mailbearer_result_receipt() gives the receipt.
 * Owner: borrowed from the result: do not free it; NULL if nobody was accepted. Threads: that of the callback.
 */
const mailbearer_receipt *mailbearer_result_receipt(const mailbearer_result *result);

/**
 * mailbearer_result_error() gives the error.
 * Owner: borrowed from the result: do not free it; NULL if the message was sent. Threads: that of the callback.
 */
const mailbearer_error *mailbearer_result_error(const mailbearer_result *result);

/**
 * mailbearer_login_url() gives the address to which the person goes.
 * Owner: borrowed from the login; NULL for NULL. Threads: many at once.
 */
const char *mailbearer_login_url(const mailbearer_login *login);

/**
 * mailbearer_login_user_code() gives what the person types there.
 * Owner: borrowed from the login; NULL for `authorization_code`. Threads: many at once.
 */
const char *mailbearer_login_user_code(const mailbearer_login *login);

/**
 * mailbearer_login_message() gives a sentence to show the person.
 * Owner: borrowed from the login; NULL for NULL. Threads: many at once.
 */
const char *mailbearer_login_message(const mailbearer_login *login);

/**
 * mailbearer_login_save() gives the sign-in as text. Another process goes on with it by
 * mailbearer_mailer_resume_login(), once, within 15 minutes. Keep the text on the server: without `store.key` it
 * holds what proves the sign-in yours.
 * Owner: free the text with mailbearer_string_free(); NULL if this sign-in cannot be saved. Threads: many at once.
 */
char *mailbearer_login_save(const mailbearer_login *login);

/**
 * mailbearer_login_wait() waits until the person has signed in: for device codes, and for `authorization_code`
 * without a `redirect_uri`. It ends with the sign-in's own time, or with the time limit of `call` before.
 * Owner: free *account with mailbearer_account_free(). Threads: one at a time.
 * Errors: `login_declined`, `login_expired`, `login_invalid`, `account_mismatch`, `timed_out`, `cancelled`, and
 * what the sign-in service refuses.
 */
mailbearer_status mailbearer_login_wait(mailbearer_login *login,
                                        mailbearer_call *call,
                                        mailbearer_account **account,
                                        mailbearer_error **err);

/**
 * mailbearer_login_finish() ends the sign-in with what came to the `redirect_uri`: the whole URL, its query, or the
 * form's body.
 * Owner: free *account with mailbearer_account_free(). `callback` is copied. Threads: one at a time.
 * Errors: `login_invalid` for an answer that belongs to another sign-in, was used before or came too late;
 * `login_declined`, `account_mismatch`, and what the sign-in service refuses.
 */
mailbearer_status mailbearer_login_finish(mailbearer_login *login,
                                          const char *callback,
                                          mailbearer_call *call,
                                          mailbearer_account **account,
                                          mailbearer_error **err);

/**
 * mailbearer_login_free() frees the sign-in, over or not. NULL is fine. A saved one can still be resumed.
 * Threads: one, when no call uses it any more.
 */
void mailbearer_login_free(mailbearer_login *login);

/**
 * mailbearer_account_username() gives the mailbox.
 * Owner: borrowed from the account; NULL for NULL. Threads: many at once.
 */
const char *mailbearer_account_username(const mailbearer_account *account);

/**
 * mailbearer_account_free() frees the account. NULL is fine.
 * Threads: one, when nobody reads it any more.
 */
void mailbearer_account_free(mailbearer_account *account);

/**
 * mailbearer_tokens_new() makes a token source from options; it ignores those of smtp and limits, and asks nobody.
 * Owner: free *tokens with mailbearer_tokens_free(). The config stays yours and may be freed at once.
 * Threads: many at once. Errors: `config_invalid`, with the option.
 */
mailbearer_status mailbearer_tokens_new(const mailbearer_config *config,
                                        mailbearer_tokens **tokens,
                                        mailbearer_error **err);

/**
 * mailbearer_tokens_get() gives a token: at once if there is a fresh one, else it asks for one. Many callers share
 * one request. `force` asks in any case. mailbearer_call_min_remaining_ms() says how long it must still be good.
 * Owner: free *token with mailbearer_token_free().
 * Threads: many at once.
 * Errors: those of the sign-in (300s), `store_failed`, `timed_out`, `cancelled`, network errors (600s).
 */
mailbearer_status mailbearer_tokens_get(const mailbearer_tokens *tokens,
                                        bool force,
                                        mailbearer_call *call,
                                        mailbearer_token **token,
                                        mailbearer_error **err);

/**
 * mailbearer_tokens_invalidate() says that a server refused exactly this token: the next get brings another.
 * Owner: the token stays yours. Threads: many at once.
 */
void mailbearer_tokens_invalidate(const mailbearer_tokens *tokens,
                                  const mailbearer_token *token);

/**
 * mailbearer_tokens_import_login() takes over a sign-in that another program keeps, so that nobody signs in again.
 * `text` is MSAL's serialised cache, or a file of mutt_oauth2.py (decrypted) or sasl-xoauth2. The sign-in is
 * tried once before it is kept; the other program should not use it any more.
 *
 * Owner: free *account with mailbearer_account_free(). `text` is copied. Threads: many at once.
 * Errors: `login_invalid` if nothing in it fits, `config_invalid` if several accounts do, those of the sign-in
 * (300s), `store_failed`, `timed_out`, `cancelled`, network errors (600s).
 */
mailbearer_status mailbearer_tokens_import_login(const mailbearer_tokens *tokens,
                                                 const char *text,
                                                 mailbearer_call *call,
                                                 mailbearer_account **account,
                                                 mailbearer_error **err);

/**
 * mailbearer_tokens_logout() forgets the account and its tokens, here and in the store, and revokes a person's
 * sign-in at services that can. The next use asks for a sign-in. A call under way ends as it would.
 * Threads: many at once.
 * Errors: `store_failed`; `config_invalid` for NULL, or if several accounts are stored and none is named.
 */
mailbearer_status mailbearer_tokens_logout(const mailbearer_tokens *tokens,
                                           mailbearer_error **err);

/**
 * mailbearer_token_secret() gives the token itself. Do not log it.
 * Owner: borrowed from the token; NULL for NULL. Threads: many at once.
 */
const char *mailbearer_token_secret(const mailbearer_token *token);

/**
 * mailbearer_token_expires_at() says when the token expires, in seconds since 1970; 0 if nobody said.
 * Threads: many at once.
 */
int64_t mailbearer_token_expires_at(const mailbearer_token *token);

/**
 * mailbearer_token_xoauth2_base64() gives what goes behind `AUTH XOAUTH2 ` in SMTP, and what answers IMAP's `+`.
 * `username` is the mailbox; NULL is the one that the token is for. The text is a secret.
 * Owner: free the text with mailbearer_string_free(); NULL if no mailbox is known or an argument is wrong.
 * Threads: many at once.
 */
char *mailbearer_token_xoauth2_base64(const mailbearer_token *token,
                                      const char *username);

/**
 * mailbearer_token_free() frees the token and wipes it from memory. NULL is fine.
 * Threads: one, when nobody reads it any more.
 */
void mailbearer_token_free(mailbearer_token *token);

/**
 * mailbearer_tokens_free() frees the token source. NULL is fine. A mailer that it came from goes on.
 * Threads: one, when no call uses it any more.
 */
void mailbearer_tokens_free(mailbearer_tokens *tokens);

/**
 * mailbearer_report_text() gives the report as lines for a person.
 * Owner: free the text with mailbearer_string_free(); NULL for NULL. Threads: many at once.
 */
char *mailbearer_report_text(const mailbearer_report *report);

/**
 * mailbearer_report_ok() says whether every link held; false for NULL.
 * Threads: many at once.
 */
bool mailbearer_report_ok(const mailbearer_report *report);

/**
 * mailbearer_report_free() frees the report. NULL is fine.
 * Threads: one, when nobody reads it any more.
 */
void mailbearer_report_free(mailbearer_report *report);

/**
 * mailbearer_outbox_count() says how many messages there are; 0 for NULL.
 * Threads: many at once.
 */
size_t mailbearer_outbox_count(const mailbearer_outbox *outbox);

/**
 * mailbearer_outbox_message_id() gives the Message-ID of the message with this index, counted from 0.
 * Owner: borrowed from the outbox; NULL beyond the last message. Threads: many at once.
 */
const char *mailbearer_outbox_message_id(const mailbearer_outbox *outbox,
                                         size_t index);

/**
 * mailbearer_outbox_json() tells of a message as JSON: `message_id`, `tag`, and `envelope` with `mail_from` and
 * `rcpt_to`.
 * Owner: free the text with mailbearer_string_free(); NULL beyond the last message. Threads: many at once.
 */
char *mailbearer_outbox_json(const mailbearer_outbox *outbox,
                             size_t index);

/**
 * mailbearer_outbox_raw() gives the octets that would have been sent, and their number in *length. They do not
 * end in a NUL. `length` may be NULL.
 * Owner: borrowed from the outbox; NULL beyond the last message. Threads: many at once.
 */
const uint8_t *mailbearer_outbox_raw(const mailbearer_outbox *outbox,
                                     size_t index,
                                     size_t *length);

/**
 * mailbearer_outbox_free() frees the outbox and all that was borrowed from it. NULL is fine.
 * Threads: one, when nobody reads it any more.
 */
void mailbearer_outbox_free(mailbearer_outbox *outbox);

/**
 * mailbearer_explain() says what any reply line of a mail server, AADSTS message, answer of a token endpoint, bounce
 * or access token means and what to do, as lines for a person. It asks nobody, and no token that stands in the text is
 * said again.
 * Owner: free the text with mailbearer_string_free(); NULL if nothing in it is known, or `text` is NULL or no UTF-8.
 * Threads: many at once.
 */
char *mailbearer_explain(const char *text);

/**
 * mailbearer_explain_json() says the same as a JSON list of objects with `kind`, `seen`, `code`, `meaning`, `cure`,
 * `retryable`, `recipient` and `docs_url`; the list is empty if nothing is known.
 * Owner: free the text with mailbearer_string_free(); NULL if `text` is NULL or no UTF-8. Threads: many at once.
 */
char *mailbearer_explain_json(const char *text);

/**
 * mailbearer_error_number() gives the number of the code: the status that the call returned. 0 for NULL.
 * Threads: many at once.
 */
int32_t mailbearer_error_number(const mailbearer_error *error);

/**
 * mailbearer_error_code() gives the stable name of the code, such as `auth_rejected`.
 * Owner: borrowed from the error; empty for NULL. Threads: many at once.
 */
const char *mailbearer_error_code(const mailbearer_error *error);

/**
 * mailbearer_error_message() says what happened, in lower case and without a full stop. It never holds a secret.
 * Owner: borrowed from the error; empty for NULL. Threads: many at once.
 */
const char *mailbearer_error_message(const mailbearer_error *error);

/**
 * mailbearer_error_hint() gives the cure, as a sentence or a command.
 * Owner: borrowed from the error; NULL if none is known. Threads: many at once.
 */
const char *mailbearer_error_hint(const mailbearer_error *error);

/**
 * mailbearer_error_retryable() says whether you may repeat the same call without delivering the message twice.
 * Threads: many at once.
 */
bool mailbearer_error_retryable(const mailbearer_error *error);

/**
 * mailbearer_error_retry_after_ms() says how long the server asked to wait, in milliseconds; -1 if it did not.
 * Threads: many at once.
 */
int64_t mailbearer_error_retry_after_ms(const mailbearer_error *error);

/**
 * mailbearer_error_delivery_uncertain() says whether the message may have arrived although the call failed. If so,
 * no program should send it again. Threads: many at once.
 */
bool mailbearer_error_delivery_uncertain(const mailbearer_error *error);

/**
 * mailbearer_error_smtp_code() gives the three digits of the SMTP reply that caused the error; 0 if none did.
 * Threads: many at once.
 */
int mailbearer_error_smtp_code(const mailbearer_error *error);

/**
 * mailbearer_error_json() gives all of it as JSON: also the field at fault, the refused recipients, the server's
 * reply, what the token endpoint said.
 * Owner: free the text with mailbearer_string_free(); NULL for NULL. Threads: many at once.
 */
char *mailbearer_error_json(const mailbearer_error *error);

/**
 * mailbearer_error_free() frees the error. NULL is fine. Not for the error of a result, which belongs to the result.
 * Threads: one, when nobody reads it any more.
 */
void mailbearer_error_free(mailbearer_error *error);

/**
 * mailbearer_version() gives the version of the library that runs, such as `0.1.0`. MAILBEARER_VERSION is the one that
 * your program was compiled against.
 * Owner: nobody frees it; it is never NULL and lives for ever. Threads: many at once.
 */
const char *mailbearer_version(void);

/**
 * mailbearer_string_free() frees a `char *` that this library returned. NULL is fine. Not for `const char *`, which
 * belongs to its object. Threads: one.
 */
void mailbearer_string_free(char *string);

/**
 * mailbearer_bytes_free() frees the octets of mailbearer_mailer_render(); `length` is the number that came with them.
 * NULL is fine. Threads: one.
 */
void mailbearer_bytes_free(uint8_t *bytes,
                           size_t length);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* MAILBEARER_H */
