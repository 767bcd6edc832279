/* Events come on the caller's own thread, the last of them before the call returns. */
#include "check.h"

#include <pthread.h>

static struct {
    pthread_t caller;
    int refreshed, done, nested;
    const mailbearer_mailer *mailer;
} seen;

static void on_event(void *userdata, const char *json) {
    CHECK(userdata == &seen);
    CHECK(pthread_equal(pthread_self(), seen.caller));
    CHECK(strncmp(json, "{\"name\":\"", 9) == 0);
    if (strstr(json, "\"token.refreshed\"")) seen.refreshed++;
    if (strstr(json, "\"send.done\"")) {
        seen.done++;
        /* The library may be called from here. */
        if (seen.nested++ == 0) {
            mailbearer_message *message = message_to("bob@example.com", NULL);
            mailbearer_receipt *receipt = NULL;
            OK(mailbearer_mailer_send(seen.mailer, message, NULL, &receipt, &err));
            mailbearer_receipt_free(receipt);
            mailbearer_message_free(message);
        }
    }
}

int main(void) {
    mailbearer_config *config = config_from_env();
    mailbearer_mailer *mailer = NULL;
    mailbearer_message *message = message_to("ada@example.com", NULL);
    mailbearer_receipt *receipt = NULL;
    seen.caller = pthread_self();
    OK(mailbearer_config_set_event_callback(config, on_event, &seen, &err));
    OK(mailbearer_mailer_new(config, &mailer, &err));
    mailbearer_config_free(config);
    seen.mailer = mailer;
    OK(mailbearer_mailer_send(mailer, message, NULL, &receipt, &err));
    CHECK(seen.refreshed == 1);
    CHECK(seen.done == 2);
    mailbearer_receipt_free(receipt);
    mailbearer_message_free(message);
    mailbearer_mailer_free(mailer);
    return 0;
}
