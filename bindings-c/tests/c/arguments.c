/* NULL and broken UTF-8 for every function: an error or a neutral value, never a crash. Prints the name of
   each function that it called; the test compares them with the header. */
#include "check.h"

#define BROKEN "caf\xe9"

static int64_t no_read(void *userdata, void *buffer, size_t length) {
    (void)userdata, (void)buffer, (void)length;
    return 0;
}

static mailbearer_config *config;
static mailbearer_mailer *mailer;
static mailbearer_message *message;

static void called(const char *name) { printf("called %s\n", name); }

static void refused(mailbearer_status status, const char *name, const char *argument, const char *why) {
    char wanted[100];
    called(name);
    snprintf(wanted, sizeof wanted, "argument `%s` is %s", argument, why);
    if (status != MAILBEARER_CONFIG_INVALID || strstr(mailbearer_error_message(err), wanted) == NULL) {
        fprintf(stderr, "%s: status %d, \"%s\" instead of \"%s\"\n", name, (int)status,
                mailbearer_error_message(err), wanted);
        exit(1);
    }
    forget();
}

#define IS_NULL(function, argument, ...) refused(function(__VA_ARGS__, &err), #function, argument, "NULL")
#define IS_BROKEN(function, argument, ...) \
    refused(function(__VA_ARGS__, &err), #function, argument, "not valid UTF-8 at octet 3")
/* With `err` NULL the status alone tells. */
#define QUIET(function, ...) CHECK(function(__VA_ARGS__, NULL) == MAILBEARER_CONFIG_INVALID)
#define NOTHING(function, call) \
    do { \
        called(#function); \
        call; \
    } while (0)

static int next(void *userdata, mailbearer_message **out) {
    (void)userdata;
    (void)out;
    return 1;
}

static int token(void *userdata, const mailbearer_token_request *request, mailbearer_token_answer *answer) {
    (void)userdata;
    (void)request;
    (void)answer;
    return 0;
}

static void configs(void) {
    IS_NULL(mailbearer_config_set, "config", NULL, "provider", "gmail");
    IS_NULL(mailbearer_config_set, "key", config, NULL, "gmail");
    IS_NULL(mailbearer_config_set, "value", config, "provider", NULL);
    IS_BROKEN(mailbearer_config_set, "key", config, BROKEN, "gmail");
    IS_BROKEN(mailbearer_config_set, "value", config, "provider", BROKEN);
    QUIET(mailbearer_config_set, NULL, "provider", "gmail");
    IS_NULL(mailbearer_config_set_json, "config", NULL, "provider", "1");
    IS_NULL(mailbearer_config_set_json, "key", config, NULL, "1");
    IS_NULL(mailbearer_config_set_json, "json", config, "provider", NULL);
    IS_BROKEN(mailbearer_config_set_json, "key", config, BROKEN, "1");
    IS_BROKEN(mailbearer_config_set_json, "json", config, "provider", BROKEN);
    FAILS(MAILBEARER_CONFIG_INVALID, mailbearer_config_set_json(config, "auth", "{\"hunter2\"", &err));
    CHECK(strstr(mailbearer_error_message(err), "not JSON") && !strstr(mailbearer_error_message(err), "hunter2"));
    forget();
    FAILS(MAILBEARER_CONFIG_INVALID,
          mailbearer_config_set(config, "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a", "x", &err));
    forget();
    FAILS(MAILBEARER_CONFIG_INVALID, mailbearer_config_set(config, "", "x", &err));
    forget();
    IS_NULL(mailbearer_config_load_file, "config", NULL, "/nowhere", NULL);
    IS_BROKEN(mailbearer_config_load_file, "path", config, BROKEN, NULL);
    IS_BROKEN(mailbearer_config_load_file, "profile", config, "/nowhere", BROKEN);
    FAILS(MAILBEARER_CONFIG_INVALID, mailbearer_config_load_file(config, "/nowhere/at.toml", NULL, &err));
    CHECK(strstr(mailbearer_error_message(err), "/nowhere/at.toml") && mailbearer_error_hint(err));
    forget();
    IS_NULL(mailbearer_config_load_env, "config", NULL, NULL);
    IS_BROKEN(mailbearer_config_load_env, "prefix", config, BROKEN);
    IS_NULL(mailbearer_config_set_token_callback, "config", NULL, token, NULL);
    IS_NULL(mailbearer_config_set_token_callback, "callback", config, NULL, NULL);
    IS_NULL(mailbearer_config_set_event_callback, "config", NULL, NULL, NULL);
    NOTHING(mailbearer_token_request_force, CHECK(!mailbearer_token_request_force(NULL)));
    NOTHING(mailbearer_token_answer_set, mailbearer_token_answer_set(NULL, "x", 0));
    NOTHING(mailbearer_config_free, mailbearer_config_free(NULL));
}

static void messages(void) {
    IS_NULL(mailbearer_message_set, "message", NULL, "subject", "x");
    IS_NULL(mailbearer_message_set, "field", message, NULL, "x");
    IS_NULL(mailbearer_message_set, "value", message, "subject", NULL);
    IS_BROKEN(mailbearer_message_set, "field", message, BROKEN, "x");
    IS_BROKEN(mailbearer_message_set, "value", message, "subject", BROKEN);
    IS_NULL(mailbearer_message_add, "message", NULL, "to", "x");
    IS_NULL(mailbearer_message_add, "field", message, NULL, "x");
    IS_NULL(mailbearer_message_add, "value", message, "to", NULL);
    IS_BROKEN(mailbearer_message_add, "field", message, BROKEN, "x");
    IS_BROKEN(mailbearer_message_add, "value", message, "to", BROKEN);
    IS_NULL(mailbearer_message_header, "message", NULL, "X-A", "x");
    IS_NULL(mailbearer_message_header, "name", message, NULL, "x");
    IS_NULL(mailbearer_message_header, "value", message, "X-A", NULL);
    IS_BROKEN(mailbearer_message_header, "name", message, BROKEN, "x");
    IS_BROKEN(mailbearer_message_header, "value", message, "X-A", BROKEN);
    IS_NULL(mailbearer_message_attach_file, "message", NULL, "/x", NULL, NULL);
    IS_NULL(mailbearer_message_attach_file, "path", message, NULL, NULL, NULL);
    IS_BROKEN(mailbearer_message_attach_file, "path", message, BROKEN, NULL, NULL);
    IS_BROKEN(mailbearer_message_attach_file, "filename", message, "/x", BROKEN, NULL);
    IS_BROKEN(mailbearer_message_attach_file, "content_type", message, "/x", NULL, BROKEN);
    IS_NULL(mailbearer_message_attach_bytes, "message", NULL, "x", 1, NULL, NULL, NULL);
    IS_NULL(mailbearer_message_attach_bytes, "data", message, NULL, 1, NULL, NULL, NULL);
    IS_BROKEN(mailbearer_message_attach_bytes, "filename", message, "x", 1, BROKEN, NULL, NULL);
    IS_BROKEN(mailbearer_message_attach_bytes, "content_type", message, "x", 1, NULL, BROKEN, NULL);
    IS_BROKEN(mailbearer_message_attach_bytes, "content_id", message, "x", 1, NULL, NULL, BROKEN);
    IS_NULL(mailbearer_message_attach_stream, "message", NULL, no_read, NULL, -1, NULL, NULL);
    IS_NULL(mailbearer_message_attach_stream, "read", message, NULL, NULL, -1, NULL, NULL);
    IS_BROKEN(mailbearer_message_attach_stream, "filename", message, no_read, NULL, -1, BROKEN, NULL);
    IS_BROKEN(mailbearer_message_attach_stream, "content_type", message, no_read, NULL, -1, NULL, BROKEN);
    IS_NULL(mailbearer_message_set_raw, "message", NULL, "x", 1);
    IS_NULL(mailbearer_message_set_raw, "data", message, NULL, 1);
    NOTHING(mailbearer_message_free, mailbearer_message_free(NULL));
}

static void mailers(void) {
    mailbearer_mailer *made = NULL;
    mailbearer_receipt *receipt = NULL;
    mailbearer_login *login = NULL;
    mailbearer_report *report = NULL;
    mailbearer_tokens *tokens = NULL;
    mailbearer_outbox *outbox = NULL;
    uint8_t *bytes = NULL;
    size_t length = 0;
    IS_NULL(mailbearer_mailer_new, "config", NULL, &made);
    IS_NULL(mailbearer_mailer_new, "mailer", config, NULL);
    IS_NULL(mailbearer_mailer_send, "mailer", NULL, message, NULL, &receipt);
    IS_NULL(mailbearer_mailer_send, "message", mailer, NULL, NULL, &receipt);
    IS_NULL(mailbearer_mailer_send, "receipt", mailer, message, NULL, NULL);
    IS_NULL(mailbearer_mailer_send_many, "mailer", NULL, next, NULL, NULL, NULL);
    IS_NULL(mailbearer_mailer_send_many, "next", mailer, NULL, NULL, NULL, NULL);
    IS_NULL(mailbearer_mailer_send_many, "out", mailer, next, NULL, NULL, NULL);
    IS_NULL(mailbearer_mailer_login, "mailer", NULL, NULL, NULL, NULL, NULL, &login);
    IS_NULL(mailbearer_mailer_login, "login", mailer, NULL, NULL, NULL, NULL, NULL);
    IS_BROKEN(mailbearer_mailer_login, "method", mailer, BROKEN, NULL, NULL, NULL, &login);
    IS_BROKEN(mailbearer_mailer_login, "redirect_uri", mailer, NULL, BROKEN, NULL, NULL, &login);
    IS_BROKEN(mailbearer_mailer_login, "login_hint", mailer, NULL, NULL, BROKEN, NULL, &login);
    IS_NULL(mailbearer_mailer_resume_login, "mailer", NULL, "x", &login);
    IS_NULL(mailbearer_mailer_resume_login, "login", mailer, "x", NULL);
    IS_NULL(mailbearer_mailer_verify, "mailer", NULL, NULL, NULL, &report);
    IS_NULL(mailbearer_mailer_verify, "report", mailer, NULL, NULL, NULL);
    IS_BROKEN(mailbearer_mailer_verify, "send_to", mailer, BROKEN, NULL, &report);
    IS_NULL(mailbearer_mailer_warm, "mailer", NULL, NULL);
    IS_NULL(mailbearer_mailer_outbox, "mailer", NULL, &outbox);
    IS_NULL(mailbearer_mailer_outbox, "outbox", mailer, NULL);
    IS_NULL(mailbearer_mailer_tokens, "mailer", NULL, &tokens);
    IS_NULL(mailbearer_mailer_tokens, "tokens", mailer, NULL);
    IS_NULL(mailbearer_mailer_render, "mailer", NULL, message, &bytes, &length);
    IS_NULL(mailbearer_mailer_render, "message", mailer, NULL, &bytes, &length);
    IS_NULL(mailbearer_mailer_render, "bytes", mailer, message, NULL, &length);
    IS_NULL(mailbearer_mailer_render, "length", mailer, message, &bytes, NULL);
    IS_NULL(mailbearer_mailer_close, "mailer", NULL, NULL);
    IS_NULL(mailbearer_mailer_export_metrics, "mailer", NULL, "http://127.0.0.1:1", NULL);
    NOTHING(mailbearer_prometheus, mailbearer_string_free(mailbearer_prometheus()));
    called("mailbearer_mailer_for_mailbox");
    CHECK(mailbearer_mailer_for_mailbox(NULL, "a@example.com", NULL, &err) == NULL);
    CHECK(mailbearer_error_number(err) == MAILBEARER_CONFIG_INVALID);
    forget();
    CHECK(mailbearer_mailer_for_mailbox(mailer, BROKEN, NULL, &err) == NULL);
    CHECK(strstr(mailbearer_error_message(err), "`username` is not valid UTF-8"));
    forget();
    CHECK(mailbearer_mailer_for_mailbox(mailer, "a@example.com", BROKEN, &err) == NULL);
    CHECK(strstr(mailbearer_error_message(err), "`from` is not valid UTF-8"));
    forget();
    CHECK(mailbearer_mailer_for_mailbox(mailer, NULL, NULL, NULL) == NULL);
    NOTHING(mailbearer_mailer_metrics_json, CHECK(mailbearer_mailer_metrics_json(NULL) == NULL));
    NOTHING(mailbearer_mailer_free, mailbearer_mailer_free(NULL));
    NOTHING(mailbearer_bytes_free, mailbearer_bytes_free(NULL, 7));
    CHECK(!made && !receipt && !login && !report && !tokens && !outbox && !bytes && !length);
}

static void logins_and_tokens(void) {
    mailbearer_account *account = NULL;
    mailbearer_tokens *tokens = NULL;
    mailbearer_token *got = NULL;
    NOTHING(mailbearer_login_url, CHECK(mailbearer_login_url(NULL) == NULL));
    NOTHING(mailbearer_login_user_code, CHECK(mailbearer_login_user_code(NULL) == NULL));
    NOTHING(mailbearer_login_message, CHECK(mailbearer_login_message(NULL) == NULL));
    NOTHING(mailbearer_login_save, CHECK(mailbearer_login_save(NULL) == NULL));
    IS_NULL(mailbearer_login_wait, "login", NULL, NULL, &account);
    IS_NULL(mailbearer_login_wait, "account", NULL, NULL, NULL);
    IS_NULL(mailbearer_login_finish, "login", NULL, "code=1", NULL, &account);
    NOTHING(mailbearer_login_free, mailbearer_login_free(NULL));
    NOTHING(mailbearer_account_username, CHECK(mailbearer_account_username(NULL) == NULL));
    NOTHING(mailbearer_account_free, mailbearer_account_free(NULL));
    IS_NULL(mailbearer_tokens_new, "config", NULL, &tokens);
    IS_NULL(mailbearer_tokens_new, "tokens", config, NULL);
    IS_NULL(mailbearer_tokens_get, "tokens", NULL, false, NULL, &got);
    IS_NULL(mailbearer_tokens_logout, "tokens", NULL);
    IS_NULL(mailbearer_tokens_import_login, "tokens", NULL, "{}", NULL, &account);
    IS_NULL(mailbearer_tokens_import_login, "account", NULL, "{}", NULL, NULL);
    NOTHING(mailbearer_tokens_invalidate, mailbearer_tokens_invalidate(NULL, NULL));
    NOTHING(mailbearer_tokens_free, mailbearer_tokens_free(NULL));
    NOTHING(mailbearer_token_secret, CHECK(mailbearer_token_secret(NULL) == NULL));
    NOTHING(mailbearer_token_expires_at, CHECK(mailbearer_token_expires_at(NULL) == 0));
    NOTHING(mailbearer_token_xoauth2_base64, CHECK(mailbearer_token_xoauth2_base64(NULL, NULL) == NULL));
    NOTHING(mailbearer_token_free, mailbearer_token_free(NULL));
}

static void answers(void) {
    NOTHING(mailbearer_receipt_message_id, CHECK(mailbearer_receipt_message_id(NULL) == NULL));
    NOTHING(mailbearer_receipt_accepted_count, CHECK(mailbearer_receipt_accepted_count(NULL) == 0));
    NOTHING(mailbearer_receipt_rejected_count, CHECK(mailbearer_receipt_rejected_count(NULL) == 0));
    NOTHING(mailbearer_receipt_rejected_address, CHECK(mailbearer_receipt_rejected_address(NULL, 0) == NULL));
    NOTHING(mailbearer_receipt_rejected_text, CHECK(mailbearer_receipt_rejected_text(NULL, 0) == NULL));
    NOTHING(mailbearer_receipt_json, CHECK(mailbearer_receipt_json(NULL) == NULL));
    NOTHING(mailbearer_receipt_free, mailbearer_receipt_free(NULL));
    NOTHING(mailbearer_result_tag, CHECK(mailbearer_result_tag(NULL) == NULL));
    NOTHING(mailbearer_result_receipt, CHECK(mailbearer_result_receipt(NULL) == NULL));
    NOTHING(mailbearer_result_error, CHECK(mailbearer_result_error(NULL) == NULL));
    NOTHING(mailbearer_report_text, CHECK(mailbearer_report_text(NULL) == NULL));
    NOTHING(mailbearer_report_ok, CHECK(!mailbearer_report_ok(NULL)));
    NOTHING(mailbearer_report_free, mailbearer_report_free(NULL));
    NOTHING(mailbearer_error_number, CHECK(mailbearer_error_number(NULL) == 0));
    NOTHING(mailbearer_error_code, CHECK(strcmp(mailbearer_error_code(NULL), "") == 0));
    NOTHING(mailbearer_error_message, CHECK(strcmp(mailbearer_error_message(NULL), "") == 0));
    NOTHING(mailbearer_error_hint, CHECK(mailbearer_error_hint(NULL) == NULL));
    NOTHING(mailbearer_error_retryable, CHECK(!mailbearer_error_retryable(NULL)));
    NOTHING(mailbearer_error_retry_after_ms, CHECK(mailbearer_error_retry_after_ms(NULL) == -1));
    NOTHING(mailbearer_error_delivery_uncertain, CHECK(!mailbearer_error_delivery_uncertain(NULL)));
    NOTHING(mailbearer_error_smtp_code, CHECK(mailbearer_error_smtp_code(NULL) == 0));
    NOTHING(mailbearer_error_json, CHECK(mailbearer_error_json(NULL) == NULL));
    NOTHING(mailbearer_error_free, mailbearer_error_free(NULL));
    NOTHING(mailbearer_explain, CHECK(mailbearer_explain(NULL) == NULL && mailbearer_explain("hello") == NULL));
    NOTHING(mailbearer_explain_json, CHECK(mailbearer_explain_json(BROKEN) == NULL));
    char *explained = mailbearer_explain("535 5.7.139 SmtpClientAuthentication is disabled for the Tenant.");
    CHECK(strstr(explained, "smtp_auth_disabled") && strstr(explained, "Set-TransportConfig"));
    mailbearer_string_free(explained);
    NOTHING(mailbearer_outbox_count, CHECK(mailbearer_outbox_count(NULL) == 0));
    NOTHING(mailbearer_outbox_message_id, CHECK(mailbearer_outbox_message_id(NULL, 0) == NULL));
    NOTHING(mailbearer_outbox_json, CHECK(mailbearer_outbox_json(NULL, 0) == NULL));
    NOTHING(mailbearer_outbox_raw, CHECK(mailbearer_outbox_raw(NULL, 0, NULL) == NULL));
    NOTHING(mailbearer_outbox_free, mailbearer_outbox_free(NULL));
    IS_NULL(mailbearer_call_partial, "call", NULL, "refuse");
    NOTHING(mailbearer_call_min_remaining_ms, mailbearer_call_min_remaining_ms(NULL, 1));
    NOTHING(mailbearer_call_timeout_ms, mailbearer_call_timeout_ms(NULL, 1));
    NOTHING(mailbearer_call_cancel, mailbearer_call_cancel(NULL));
    NOTHING(mailbearer_call_free, mailbearer_call_free(NULL));
    NOTHING(mailbearer_string_free, mailbearer_string_free(NULL));
}

static void statuses_and_versions(void) {
    char numbers[40];
    NOTHING(mailbearer_status_str, CHECK(strcmp(mailbearer_status_str(0), "ok") == 0));
    CHECK(strcmp(mailbearer_status_str(MAILBEARER_DELIVERY_UNCERTAIN), "delivery_uncertain") == 0);
    CHECK(strcmp(mailbearer_status_str(-1), "unknown") == 0);
    NOTHING(mailbearer_version, CHECK(strcmp(mailbearer_version(), MAILBEARER_VERSION) == 0));
    snprintf(numbers, sizeof numbers, "%d.%d.%d", MAILBEARER_VERSION_MAJOR, MAILBEARER_VERSION_MINOR,
             MAILBEARER_VERSION_PATCH);
    CHECK(strcmp(numbers, MAILBEARER_VERSION) == 0);
    CHECK(MAILBEARER_VERSION_NUMBER ==
          MAILBEARER_VERSION_MAJOR * 10000 + MAILBEARER_VERSION_MINOR * 100 + MAILBEARER_VERSION_PATCH);
}

/* A mistake in an option is told when a mailer is made, with its name and the nearest right one. */
static void wrong_options(void) {
    mailbearer_config *wrong = mailbearer_config_new();
    mailbearer_mailer *made = NULL;
    OK(mailbearer_config_set(wrong, "provider", "memory", &err));
    OK(mailbearer_config_set(wrong, "auth.tennant", "contoso.com", &err));
    FAILS(MAILBEARER_CONFIG_INVALID, mailbearer_mailer_new(wrong, &made, &err));
    CHECK(strstr(mailbearer_error_message(err), "`auth.tennant`; did you mean `auth.tenant`?"));
    CHECK(made == NULL);
    forget();
    mailbearer_config_free(wrong);
}

int main(void) {
    called("mailbearer_config_new");
    config = mailbearer_config_new();
    OK(mailbearer_config_set(config, "provider", "memory", &err));
    OK(mailbearer_mailer_new(config, &mailer, &err));
    called("mailbearer_message_new");
    message = mailbearer_message_new();
    called("mailbearer_call_new");
    mailbearer_call_free(mailbearer_call_new());
    configs();
    messages();
    mailers();
    logins_and_tokens();
    answers();
    statuses_and_versions();
    wrong_options();
    mailbearer_message_free(message);
    mailbearer_mailer_free(mailer);
    mailbearer_config_free(config);
    return 0;
}
