/* One message over STARTTLS, and what a program asks of it afterwards. */
#include "check.h"

static void refused(const mailbearer_mailer *mailer) {
    mailbearer_message *message = message_to("ada@example.com", "t-1");
    mailbearer_receipt *receipt = NULL;
    OK(mailbearer_message_add(message, "to", "nobody@example.com", &err));
    OK(mailbearer_mailer_send(mailer, message, NULL, &receipt, &err));
    CHECK(mailbearer_receipt_accepted_count(receipt) == 1);
    CHECK(mailbearer_receipt_rejected_count(receipt) == 1);
    CHECK(strcmp(mailbearer_receipt_rejected_address(receipt, 0), "nobody@example.com") == 0);
    CHECK(strstr(mailbearer_receipt_rejected_text(receipt, 0), "550 5.1.1"));
    CHECK(mailbearer_receipt_rejected_address(receipt, 1) == NULL);
    mailbearer_receipt_free(receipt);
    mailbearer_message_free(message);

    message = message_to("nobody@example.com", "t-2");
    receipt = NULL;
    FAILS(MAILBEARER_RECIPIENTS_REJECTED, mailbearer_mailer_send(mailer, message, NULL, &receipt, &err));
    CHECK(receipt == NULL && mailbearer_error_hint(err) != NULL);
    CHECK(!mailbearer_error_retryable(err) && !mailbearer_error_delivery_uncertain(err));
    CHECK(mailbearer_error_retry_after_ms(err) == -1);
    char *json = mailbearer_error_json(err);
    CHECK(strstr(json, "\"tag\":\"t-2\"") && strstr(json, "nobody@example.com"));
    mailbearer_string_free(json);
    forget();
    mailbearer_message_free(message);
}

static void wrong(const mailbearer_mailer *mailer) {
    mailbearer_message *message = message_to("a@example.com, b@example.com", NULL);
    mailbearer_receipt *receipt = NULL;
    FAILS(MAILBEARER_MESSAGE_INVALID, mailbearer_mailer_send(mailer, message, NULL, &receipt, &err));
    CHECK(strstr(mailbearer_error_message(err), "`to"));
    CHECK(strstr(mailbearer_error_hint(err), "Give a list"));
    forget();
    mailbearer_message_free(message);

    message = message_to("ada@example.com", NULL);
    OK(mailbearer_message_set(message, "subject", "Hi\r\nBcc: eve@example.com", &err));
    FAILS(MAILBEARER_MESSAGE_INVALID, mailbearer_mailer_send(mailer, message, NULL, &receipt, &err));
    forget();
    /* Put right, the same message can be sent. */
    OK(mailbearer_message_set(message, "subject", "Hi", &err));
    OK(mailbearer_mailer_send(mailer, message, NULL, &receipt, &err));
    mailbearer_receipt_free(receipt);
    mailbearer_message_free(message);

    message = message_to("ada@example.com", NULL);
    OK(mailbearer_message_attach_file(message, "/nowhere/report.pdf", NULL, NULL, &err));
    FAILS(MAILBEARER_ATTACHMENT_UNREADABLE, mailbearer_mailer_send(mailer, message, NULL, &receipt, &err));
    forget();
    mailbearer_message_free(message);
}

static void raw(const mailbearer_mailer *mailer) {
    static const char mime[] = "From: noreply@contoso.com\nTo: ada@example.com\nBcc: eve@example.com\n"
                               "Subject: raw\n\n.dot\n";
    mailbearer_message *message = mailbearer_message_new();
    mailbearer_receipt *receipt = NULL;
    OK(mailbearer_message_set_raw(message, mime, sizeof mime - 1, &err));
    OK(mailbearer_message_set(message, "envelope.mail_from", "noreply@contoso.com", &err));
    OK(mailbearer_message_add(message, "envelope.rcpt_to", "other@example.com", &err));
    OK(mailbearer_message_set(message, "tag", "raw", &err));
    OK(mailbearer_mailer_send(mailer, message, NULL, &receipt, &err));
    char *json = mailbearer_receipt_json(receipt);
    CHECK(strstr(json, "\"accepted\":[\"other@example.com\"]") && strstr(json, "\"tag\":\"raw\""));
    mailbearer_string_free(json);
    mailbearer_receipt_free(receipt);
    OK(mailbearer_message_set(message, "html", "<b>no</b>", &err));
    receipt = NULL;
    FAILS(MAILBEARER_MESSAGE_INVALID, mailbearer_mailer_send(mailer, message, NULL, &receipt, &err));
    forget();
    mailbearer_message_free(message);
}

int main(void) {
    mailbearer_mailer *mailer = mailer_from_env();
    mailbearer_message *message = message_to("Ada Lovelace <ada@example.com>", "first");
    mailbearer_receipt *receipt = NULL, *again = NULL;
    OK(mailbearer_message_add(message, "cc", "bob@example.com", &err));
    OK(mailbearer_message_add(message, "bcc", "carl@example.com", &err));
    OK(mailbearer_message_header(message, "X-Campaign", "one", &err));
    OK(mailbearer_message_header(message, "X-Campaign", "two", &err));
    OK(mailbearer_message_set(message, "html", "<b>Gr\xc3\xbc\xc3\x9f Gott</b> <img src=\"cid:logo\">", &err));
    OK(mailbearer_message_attach_bytes(message, "\0\1\2", 3, "logo.png", "image/png", "logo", &err));
    OK(mailbearer_message_attach_file(message, __FILE__, NULL, "text/x-csrc", &err));

    uint8_t *bytes = NULL;
    size_t length = 0;
    OK(mailbearer_mailer_render(mailer, message, &bytes, &length, &err));
    CHECK(bytes != NULL && length > 500);
    mailbearer_bytes_free(bytes, length);

    OK(mailbearer_mailer_send(mailer, message, NULL, &receipt, &err));
    CHECK(mailbearer_receipt_accepted_count(receipt) == 3);
    CHECK(mailbearer_receipt_rejected_count(receipt) == 0);
    char *json = mailbearer_receipt_json(receipt);
    CHECK(strstr(json, "\"tag\":\"first\""));
    mailbearer_string_free(json);
    printf("sent %s\n", mailbearer_receipt_message_id(receipt));

    /* The same message has the same Message-ID; a changed one has another. */
    OK(mailbearer_mailer_send(mailer, message, NULL, &again, &err));
    CHECK(strcmp(mailbearer_receipt_message_id(receipt), mailbearer_receipt_message_id(again)) == 0);
    mailbearer_receipt_free(again);
    again = NULL;
    OK(mailbearer_message_set(message, "subject", "Another", &err));
    OK(mailbearer_mailer_send(mailer, message, NULL, &again, &err));
    CHECK(strcmp(mailbearer_receipt_message_id(receipt), mailbearer_receipt_message_id(again)) != 0);
    mailbearer_receipt_free(again);
    mailbearer_receipt_free(receipt);

    raw(mailer);
    wrong(mailer);
    refused(mailer);

    mailbearer_report *report = NULL;
    OK(mailbearer_mailer_verify(mailer, NULL, NULL, &report, &err));
    char *text = mailbearer_report_text(report);
    if (!mailbearer_report_ok(report)) fprintf(stderr, "%s", text);
    CHECK(mailbearer_report_ok(report) && strstr(text, "auth"));
    mailbearer_string_free(text);
    mailbearer_report_free(report);
    report = NULL;
    OK(mailbearer_mailer_verify(mailer, "proof@example.com", NULL, &report, &err));
    CHECK(mailbearer_report_ok(report));
    mailbearer_report_free(report);

    mailbearer_mailer *other = mailbearer_mailer_for_mailbox(mailer, "other@contoso.com", "Desk <other@contoso.com>", &err);
    CHECK(other != NULL && err == NULL);
    OK(mailbearer_mailer_warm(other, NULL, &err));
    receipt = NULL;
    OK(mailbearer_mailer_send(other, message, NULL, &receipt, &err));
    json = mailbearer_receipt_json(receipt);
    CHECK(strstr(json, "\"mail_from\":\"other@contoso.com\""));
    mailbearer_string_free(json);
    mailbearer_receipt_free(receipt);
    mailbearer_mailer_free(other);

    json = mailbearer_mailer_metrics_json(mailer);
    CHECK(json != NULL && json[0] == '{');
    mailbearer_string_free(json);

    /* A call may ask for all or nothing. */
    mailbearer_call *call = mailbearer_call_new();
    FAILS(MAILBEARER_CONFIG_INVALID, mailbearer_call_partial(call, "perhaps", &err));
    forget();
    OK(mailbearer_call_partial(call, "refuse", &err));
    OK(mailbearer_message_add(message, "to", "nobody@example.com", &err));
    receipt = NULL;
    FAILS(MAILBEARER_RECIPIENTS_REJECTED, mailbearer_mailer_send(mailer, message, call, &receipt, &err));
    forget();
    OK(mailbearer_call_partial(call, NULL, &err));
    OK(mailbearer_mailer_send(mailer, message, call, &receipt, &err));
    CHECK(mailbearer_receipt_rejected_count(receipt) == 1);
    mailbearer_receipt_free(receipt);
    mailbearer_call_free(call);

    OK(mailbearer_mailer_close(mailer, NULL, &err));
    OK(mailbearer_mailer_close(mailer, NULL, &err));
    receipt = NULL;
    FAILS(MAILBEARER_CLOSED, mailbearer_mailer_send(mailer, message, NULL, &receipt, &err));
    forget();
    mailbearer_message_free(message);
    mailbearer_mailer_free(mailer);
    return 0;
}
