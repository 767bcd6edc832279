/* The smallest program: options from the environment, one message, one receipt. */
#include "mailbearer.h"

#include <stdio.h>

int main(void) {
    mailbearer_error *err = NULL;
    mailbearer_config *config = mailbearer_config_new();
    mailbearer_message *message = mailbearer_message_new();
    mailbearer_mailer *mailer = NULL;
    mailbearer_receipt *receipt = NULL;

    int failed = mailbearer_config_load_env(config, "MAILBEARER_", &err) ||
                 mailbearer_mailer_new(config, &mailer, &err) ||
                 mailbearer_message_add(message, "to", "ada@example.com", &err) ||
                 mailbearer_message_set(message, "subject", "Hello from C", &err) ||
                 mailbearer_message_set(message, "text", "Sent with a token, without a password.\n", &err) ||
                 mailbearer_mailer_send(mailer, message, NULL, &receipt, &err);
    if (failed) {
        const char *hint = mailbearer_error_hint(err);
        fprintf(stderr, "%s\n%s\n", mailbearer_error_message(err), hint ? hint : "");
    } else {
        printf("C       %s accepted by %zu\n", mailbearer_receipt_message_id(receipt),
               mailbearer_receipt_accepted_count(receipt));
    }
    mailbearer_receipt_free(receipt);
    mailbearer_message_free(message);
    mailbearer_mailer_free(mailer);
    mailbearer_config_free(config);
    mailbearer_error_free(err);
    return failed ? 1 : 0;
}
