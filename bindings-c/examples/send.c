/* First mail. Build and run:
 *
 *   cc -o send send.c $(pkg-config --cflags --libs mailbearer)
 *   CONTOSO_SECRET=… ./send ada@example.com
 *
 * Without an account: put `mailbearer emulator --` in front, and leave out the options below; they then
 * come from the environment. */
#include <mailbearer.h>

#include <stdio.h>
#include <stdlib.h>

static int report(const mailbearer_error *err) {
    const char *hint = mailbearer_error_hint(err);
    fprintf(stderr, "send: %s (%s)\n", mailbearer_error_message(err), mailbearer_error_code(err));
    if (hint) fprintf(stderr, "%s\n", hint);
    if (mailbearer_error_delivery_uncertain(err)) fprintf(stderr, "It may have arrived: do not send it again.\n");
    return mailbearer_error_retryable(err) ? 75 : 1;
}

/* An application of its own, which sends as one mailbox. */
static int contoso(mailbearer_config *config, mailbearer_error **err) {
    return mailbearer_config_set(config, "provider", "microsoft365", err) ||
           mailbearer_config_set(config, "username", "noreply@contoso.com", err) ||
           mailbearer_config_set(config, "auth.grant", "client_credentials", err) ||
           mailbearer_config_set(config, "auth.tenant", "contoso.com", err) ||
           mailbearer_config_set(config, "auth.client_id", "6f1c1d0e-2f5b-4a52-9c1e-0d6a5d2b7c11", err) ||
           mailbearer_config_set(config, "auth.client_secret", "{\"env\": \"CONTOSO_SECRET\"}", err);
}

int main(int count, char **argument) {
    mailbearer_error *err = NULL;
    mailbearer_mailer *mailer = NULL;
    mailbearer_receipt *receipt = NULL;
    mailbearer_config *config = mailbearer_config_new();
    mailbearer_message *message = mailbearer_message_new();
    int result = 0;

    if (count != 2) {
        fprintf(stderr, "usage: send ADDRESS\n");
        result = 64;
    } else if ((getenv("MAILBEARER_PROVIDER") ? mailbearer_config_load_env(config, NULL, &err)
                                              : contoso(config, &err)) ||
               mailbearer_mailer_new(config, &mailer, &err) ||
               mailbearer_message_add(message, "to", argument[1], &err) ||
               mailbearer_message_set(message, "subject", "Hello", &err) ||
               mailbearer_message_set(message, "text", "Hello from C.\n", &err) ||
               mailbearer_message_set(message, "html", "<p>Hello from <b>C</b>.</p>", &err) ||
               mailbearer_message_attach_bytes(message, "a,b\r\n1,2\r\n", 10, "table.csv", "text/csv", NULL, &err) ||
               mailbearer_mailer_send(mailer, message, NULL, &receipt, &err)) {
        result = report(err);
    } else {
        printf("sent %s\n", mailbearer_receipt_message_id(receipt));
        for (size_t i = 0; i < mailbearer_receipt_rejected_count(receipt); i++) {
            printf("but not to %s: %s\n", mailbearer_receipt_rejected_address(receipt, i),
                   mailbearer_receipt_rejected_text(receipt, i));
        }
    }
    mailbearer_receipt_free(receipt);
    mailbearer_message_free(message);
    mailbearer_mailer_free(mailer);
    mailbearer_config_free(config);
    mailbearer_error_free(err);
    return result;
}
