/* Attachments that a function of the program gives. */
#include "check.h"

#include <unistd.h>

#define OCTETS 1000000

struct source {
    int64_t left;
    int reads;
    bool torn;
};

static int64_t give(void *userdata, void *buffer, size_t length) {
    struct source *source = userdata;
    int64_t n = source->left < (int64_t)length ? source->left : (int64_t)length;
    source->reads += 1;
    if (source->torn) return -1;
    memset(buffer, 'x', (size_t)n);
    source->left -= n;
    return n;
}

static int64_t slow(void *userdata, void *buffer, size_t length) {
    (void)buffer, (void)length;
    sleep(1);
    *(bool *)userdata = true;
    return 0;
}

static struct source many[5];

static int next(void *userdata, mailbearer_message **out) {
    int *at = userdata;
    if (*at == 5) return 0;
    many[*at].left = OCTETS;
    *out = message_to("ada@example.com", NULL);
    OK(mailbearer_message_attach_stream(*out, give, &many[(*at)++], OCTETS, "many.bin", NULL, &err));
    return 1;
}

int main(void) {
    mailbearer_mailer *mailer = mailer_from_env();
    mailbearer_message *message = message_to("ada@example.com", NULL);
    mailbearer_receipt *receipt = NULL;
    struct source source = {OCTETS, 0, false};
    int given = 0;

    OK(mailbearer_message_attach_stream(message, give, &source, -1, "one.bin", "text/x-x", &err));
    OK(mailbearer_mailer_send(mailer, message, NULL, &receipt, &err));
    CHECK(source.left == 0);
    mailbearer_receipt_free(receipt);
    receipt = NULL;
    /* Once is once. */
    FAILS(MAILBEARER_ATTACHMENT_UNREADABLE, mailbearer_mailer_send(mailer, message, NULL, &receipt, &err));
    forget();
    mailbearer_message_free(message);

    OK(mailbearer_mailer_send_many(mailer, next, NULL, &given, NULL, &err));
    for (int at = 0; at < 5; at++) CHECK(many[at].left == 0);

    message = message_to("ada@example.com", NULL);
    source = (struct source){OCTETS, 0, true};
    OK(mailbearer_message_attach_stream(message, give, &source, -1, NULL, NULL, &err));
    FAILS(MAILBEARER_ATTACHMENT_UNREADABLE, mailbearer_mailer_send(mailer, message, NULL, &receipt, &err));
    CHECK(strstr(mailbearer_error_message(err), "returned -1") && !mailbearer_error_retryable(err));
    forget();
    mailbearer_message_free(message);

    message = message_to("ada@example.com", NULL);
    source = (struct source){OCTETS, 0, false};
    OK(mailbearer_message_attach_stream(message, give, &source, 400000000, NULL, NULL, &err));
    FAILS(MAILBEARER_MESSAGE_TOO_LARGE, mailbearer_mailer_send(mailer, message, NULL, &receipt, &err));
    CHECK(source.reads == 0);
    forget();
    mailbearer_message_free(message);

    /* A call whose time is up does not wait for the function; freeing the message does. */
    bool ended = false;
    mailbearer_call *call = mailbearer_call_new();
    message = message_to("ada@example.com", NULL);
    OK(mailbearer_message_attach_stream(message, slow, &ended, -1, NULL, NULL, &err));
    mailbearer_call_timeout_ms(call, 300);
    FAILS(MAILBEARER_TIMED_OUT, mailbearer_mailer_send(mailer, message, call, &receipt, &err));
    CHECK(receipt == NULL);
    forget();
    mailbearer_message_free(message);
    CHECK(ended);
    mailbearer_call_free(call);
    mailbearer_mailer_free(mailer);
    return 0;
}
