/* What a callback may not do: free its own message, close its own mailer. Each is refused; nothing hangs. */
#include "check.h"

static mailbearer_mailer *mailer;
static mailbearer_message *message;
static int refused;

/* A call that waits for the callback which makes it. */
static void close_it(void) {
    mailbearer_error *why = NULL;
    if (!mailer) return;
    CHECK(mailbearer_mailer_close(mailer, NULL, &why) == MAILBEARER_CONFIG_INVALID);
    CHECK(strstr(mailbearer_error_message(why), "in a callback of the same mailer"));
    CHECK(mailbearer_error_hint(why) != NULL);
    mailbearer_error_free(why);
    refused++;
}

static int64_t closing_read(void *userdata, void *buffer, size_t length) {
    int *reads = userdata;
    (void)length;
    close_it();
    if ((*reads)++) return 0;
    memcpy(buffer, "abc", 3);
    return 3;
}

static int64_t freeing_read(void *userdata, void *buffer, size_t length) {
    (void)userdata, (void)length;
    mailbearer_message_free(message);
    message = NULL;
    memcpy(buffer, "abc", 3);
    return 3;
}

static void on_event(void *userdata, const char *json) {
    (void)userdata, (void)json;
    close_it();
}

static int bring(void *userdata, const mailbearer_token_request *request, mailbearer_token_answer *answer) {
    (void)request;
    close_it();
    mailbearer_token_answer_set(answer, userdata, 0);
    return 0;
}

static int next(void *userdata, mailbearer_message **out) {
    int *left = userdata;
    close_it();
    if (!(*left)--) return 0;
    *out = message_to("ada@example.com", NULL);
    return 1;
}

static int on_result(void *userdata, const mailbearer_result *result) {
    (void)userdata, (void)result;
    close_it();
    return 0;
}

int main(void) {
    mailbearer_config *config = config_from_env();
    mailbearer_receipt *receipt = NULL;
    int reads = 0, left = 2;
    char *good = getenv("GOOD_TOKEN");
    CHECK(good != NULL);
    OK(mailbearer_config_set_event_callback(config, on_event, NULL, &err));
    OK(mailbearer_config_set_token_callback(config, bring, good, &err));
    OK(mailbearer_mailer_new(config, &mailer, &err));

    /* The token's function, the events and the stream: all refused, and the message goes out. */
    message = message_to("ada@example.com", NULL);
    OK(mailbearer_message_attach_stream(message, closing_read, &reads, 3, "a.bin", NULL, &err));
    OK(mailbearer_mailer_send(mailer, message, NULL, &receipt, &err));
    CHECK(reads == 2 && refused >= 4);
    mailbearer_receipt_free(receipt);
    mailbearer_message_free(message);

    refused = 0;
    OK(mailbearer_mailer_send_many(mailer, next, on_result, &left, NULL, &err));
    CHECK(refused >= 5);

    receipt = NULL;
    message = message_to("ada@example.com", NULL);
    OK(mailbearer_message_attach_stream(message, freeing_read, NULL, -1, "a.bin", NULL, &err));
    FAILS(MAILBEARER_ATTACHMENT_UNREADABLE, mailbearer_mailer_send(mailer, message, NULL, &receipt, &err));
    CHECK(strstr(mailbearer_error_message(err), "the message was freed before it was read to its end"));
    CHECK(!mailbearer_error_delivery_uncertain(err));
    forget();

    /* Another mailer's callback, and none at all, may close it. */
    mailbearer_mailer *closed = mailer;
    mailer = NULL;
    OK(mailbearer_mailer_close(closed, NULL, &err));
    mailbearer_mailer_free(closed);
    mailbearer_config_free(config);
    return 0;
}
