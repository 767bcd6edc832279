/* Tokens from the sign-in service, and from a function of the program. */
#include "check.h"

static struct {
    int calls, forced;
    const char *good;
} asked;

static int bring(void *userdata, const mailbearer_token_request *request, mailbearer_token_answer *answer) {
    CHECK(userdata == &asked);
    asked.calls++;
    if (mailbearer_token_request_force(request)) {
        asked.forced++;
        mailbearer_token_answer_set(answer, asked.good, 0);
    } else {
        mailbearer_token_answer_set(answer, "an-old-token", 0);
    }
    return 0;
}

static int fail(void *userdata, const mailbearer_token_request *request, mailbearer_token_answer *answer) {
    (void)request;
    if (*(int *)userdata == 1) mailbearer_token_answer_set(answer, "\xff", 0);
    return *(int *)userdata == 7 ? 7 : 0;
}

static void from_the_service(void) {
    mailbearer_config *config = config_from_env();
    mailbearer_tokens *tokens = NULL;
    mailbearer_token *first = NULL, *same = NULL, *other = NULL;
    OK(mailbearer_tokens_new(config, &tokens, &err));
    mailbearer_config_free(config);
    OK(mailbearer_tokens_get(tokens, false, NULL, &first, &err));
    OK(mailbearer_tokens_get(tokens, false, NULL, &same, &err));
    CHECK(strcmp(mailbearer_token_secret(first), mailbearer_token_secret(same)) == 0);
    CHECK(mailbearer_token_expires_at(first) > 1700000000);
    char *wire = mailbearer_token_xoauth2_base64(first, "noreply@contoso.com");
    CHECK(strncmp(wire, "dXNlcj1ub3JlcGx5QGNvbnRvc28uY29t", 32) == 0);
    mailbearer_string_free(wire);
    /* No token is good for a hundred days. */
    mailbearer_call *call = mailbearer_call_new();
    mailbearer_call_min_remaining_ms(call, UINT64_C(8640000000));
    FAILS(MAILBEARER_CONFIG_INVALID, mailbearer_tokens_get(tokens, false, call, &other, &err));
    CHECK(strstr(mailbearer_error_message(err), "less than the 8640000 s wanted"));
    forget();
    mailbearer_call_free(call);
    mailbearer_tokens_invalidate(tokens, first);
    OK(mailbearer_tokens_get(tokens, false, NULL, &other, &err));
    CHECK(strcmp(mailbearer_token_secret(first), mailbearer_token_secret(other)) != 0);
    mailbearer_token_free(first);
    mailbearer_token_free(same);
    mailbearer_token_free(other);
    mailbearer_tokens_free(tokens);
}

static void from_the_program(void) {
    mailbearer_config *config = config_from_env();
    mailbearer_mailer *mailer = NULL;
    mailbearer_receipt *receipt = NULL;
    mailbearer_tokens *tokens = NULL;
    mailbearer_token *token = NULL;
    mailbearer_message *message = message_to("ada@example.com", NULL);
    asked.good = getenv("GOOD_TOKEN");
    CHECK(asked.good != NULL);
    OK(mailbearer_config_set_token_callback(config, bring, &asked, &err));
    OK(mailbearer_mailer_new(config, &mailer, &err));
    OK(mailbearer_mailer_tokens(mailer, &tokens, &err));
    OK(mailbearer_tokens_get(tokens, false, NULL, &token, &err));
    CHECK(strcmp(mailbearer_token_secret(token), "an-old-token") == 0);
    mailbearer_token_free(token);
    token = NULL;
    OK(mailbearer_tokens_get(tokens, true, NULL, &token, &err));
    CHECK(asked.forced == 1 && asked.calls == 2);
    mailbearer_token_free(token);
    mailbearer_tokens_free(tokens);
    OK(mailbearer_mailer_send(mailer, message, NULL, &receipt, &err));
    CHECK(asked.calls == 2);
    mailbearer_receipt_free(receipt);
    mailbearer_mailer_free(mailer);

    for (int how = 0; how < 8; how += how == 1 ? 6 : 1) {
        static const char *const said[] = {"without a token", "`secret` is not valid UTF-8", 0, 0, 0, 0, 0, "returned 7"};
        OK(mailbearer_config_set_token_callback(config, fail, &how, &err));
        OK(mailbearer_mailer_new(config, &mailer, &err));
        receipt = NULL;
        FAILS(MAILBEARER_TOKEN_PROVIDER_FAILED, mailbearer_mailer_send(mailer, message, NULL, &receipt, &err));
        if (!strstr(mailbearer_error_message(err), said[how])) {
            fprintf(stderr, "%d: %s\n", how, mailbearer_error_message(err));
            exit(1);
        }
        forget();
        mailbearer_mailer_free(mailer);
    }
    mailbearer_config_free(config);
    mailbearer_message_free(message);
}

/* The claims of the emulator's own application, without a signature that anybody checks. */
static int prove(void *userdata, const mailbearer_token_request *request, mailbearer_token_answer *answer) {
    (void)request;
    ++*(int *)userdata;
    mailbearer_token_answer_set(answer, getenv("ASSERTION"), 0);
    return 0;
}

static void proven_by_the_program(void) {
    mailbearer_config *config = config_from_env();
    mailbearer_tokens *tokens = NULL;
    mailbearer_token *token = NULL;
    int calls = 0;
    OK(mailbearer_config_set_token_callback(config, prove, &calls, &err));
    OK(mailbearer_config_set(config, "auth.grant", "client_credentials", &err));
    OK(mailbearer_config_set_json(config, "auth.client_secret", "null", &err));
    OK(mailbearer_config_set_json(config, "auth.client_assertion", "{\"callback\": true}", &err));
    OK(mailbearer_tokens_new(config, &tokens, &err));
    OK(mailbearer_tokens_get(tokens, false, NULL, &token, &err));
    CHECK(calls == 1 && strlen(mailbearer_token_secret(token)) > 100);
    mailbearer_token_free(token);
    mailbearer_tokens_free(tokens);
    mailbearer_config_free(config);
}

int main(int count, char **argument) {
    CHECK(count == 2);
    if (strcmp(argument[1], "service") == 0) from_the_service();
    else if (strcmp(argument[1], "proof") == 0) proven_by_the_program();
    else from_the_program();
    return 0;
}
