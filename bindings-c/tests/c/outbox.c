/* A program's own tests: what it would have sent, without a network. */
#include "check.h"

int main(void) {
    mailbearer_config *config = mailbearer_config_new();
    mailbearer_mailer *mailer = NULL;
    mailbearer_receipt *receipt = NULL;
    mailbearer_outbox *outbox = NULL;
    size_t length = 0;
    OK(mailbearer_config_set(config, "provider", "memory", &err));
    OK(mailbearer_config_set(config, "from", "Desk <desk@example.com>", &err));
    OK(mailbearer_mailer_new(config, &mailer, &err));
    mailbearer_config_free(config);

    OK(mailbearer_mailer_outbox(mailer, &outbox, &err));
    CHECK(mailbearer_outbox_count(outbox) == 0 && mailbearer_outbox_message_id(outbox, 0) == NULL);
    mailbearer_outbox_free(outbox);
    outbox = NULL;

    mailbearer_message *message = message_to("ada@example.com", "order 7");
    OK(mailbearer_mailer_send(mailer, message, NULL, &receipt, &err));
    OK(mailbearer_mailer_outbox(mailer, &outbox, &err));
    CHECK(mailbearer_outbox_count(outbox) == 1);
    CHECK(strcmp(mailbearer_outbox_message_id(outbox, 0), mailbearer_receipt_message_id(receipt)) == 0);
    char *json = mailbearer_outbox_json(outbox, 0);
    CHECK(strstr(json, "\"tag\":\"order 7\"") && strstr(json, "\"mail_from\":\"desk@example.com\""));
    CHECK(strstr(json, "\"rcpt_to\":[\"ada@example.com\"]"));
    mailbearer_string_free(json);
    const uint8_t *raw = mailbearer_outbox_raw(outbox, 0, &length);
    CHECK(length > 100 && raw != NULL && memcmp(raw + length - 9, "\r\nHello\r\n", 9) == 0);
    CHECK(mailbearer_outbox_raw(outbox, 1, &length) == NULL && mailbearer_outbox_json(outbox, 1) == NULL);

    /* It outlives the mailer. */
    mailbearer_receipt_free(receipt);
    mailbearer_message_free(message);
    mailbearer_mailer_free(mailer);
    CHECK(mailbearer_outbox_raw(outbox, 0, NULL) == raw);
    mailbearer_outbox_free(outbox);
    return 0;
}
