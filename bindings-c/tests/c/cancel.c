/* A send is cancelled from another thread, before or after the message was handed over; or it runs out of
   time. The program is told "go" when the server has come to the point. */
#include "check.h"

#include <pthread.h>

static void *cancel(void *call) {
    char line[10];
    CHECK(fgets(line, sizeof line, stdin));
    mailbearer_call_cancel(call);
    return NULL;
}

int main(int count, char **argument) {
    mailbearer_mailer *mailer = mailer_from_env();
    mailbearer_message *message = message_to("ada@example.com", NULL);
    mailbearer_receipt *receipt = NULL;
    mailbearer_call *call = mailbearer_call_new();
    pthread_t other;
    CHECK(count == 2);
    if (strcmp(argument[1], "time") == 0) {
        mailbearer_call_timeout_ms(call, 300);
        FAILS(MAILBEARER_TIMED_OUT, mailbearer_mailer_send(mailer, message, call, &receipt, &err));
        CHECK(!mailbearer_error_delivery_uncertain(err));
    } else {
        CHECK(pthread_create(&other, NULL, cancel, call) == 0);
        if (strcmp(argument[1], "before") == 0) {
            FAILS(MAILBEARER_CANCELLED, mailbearer_mailer_send(mailer, message, call, &receipt, &err));
            CHECK(!mailbearer_error_delivery_uncertain(err));
        } else {
            FAILS(MAILBEARER_DELIVERY_UNCERTAIN, mailbearer_mailer_send(mailer, message, call, &receipt, &err));
            CHECK(mailbearer_error_delivery_uncertain(err) && !mailbearer_error_retryable(err));
        }
        CHECK(pthread_join(other, NULL) == 0);
    }
    CHECK(receipt == NULL);
    forget();
    mailbearer_call_free(call);
    mailbearer_message_free(message);
    mailbearer_mailer_free(mailer);
    return 0;
}
