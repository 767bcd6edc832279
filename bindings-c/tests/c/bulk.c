/* Many messages: each gives one result; who stops, and how, decides what comes back. */
#include "check.h"

static struct {
    int total, given, wrong_at, stop_at, stop_after;
    int sent, failed, tags;
} run;

static int next(void *userdata, mailbearer_message **out) {
    CHECK(userdata == &run);
    if (run.given == run.stop_at) return -1;
    if (run.given == run.total) return 0;
    char tag[20];
    snprintf(tag, sizeof tag, "%d", run.given);
    *out = message_to(run.given == run.wrong_at ? "not an address" : "ada@example.com", tag);
    run.given++;
    return 1;
}

static int result(void *userdata, const mailbearer_result *result) {
    CHECK(userdata == &run);
    const mailbearer_receipt *receipt = mailbearer_result_receipt(result);
    const mailbearer_error *error = mailbearer_result_error(result);
    CHECK((receipt == NULL) != (error == NULL));
    CHECK(mailbearer_result_tag(result) != NULL);
    run.tags += atoi(mailbearer_result_tag(result));
    if (receipt) {
        CHECK(mailbearer_receipt_accepted_count(receipt) == 1);
        run.sent++;
    } else {
        run.failed++;
    }
    return run.sent + run.failed == run.stop_after;
}

static void reset(int total) {
    memset(&run, 0, sizeof run);
    run.total = total;
    run.wrong_at = run.stop_at = run.stop_after = -1;
}

int main(int count, char **argument) {
    mailbearer_mailer *mailer = mailer_from_env();
    mailbearer_call *call = mailbearer_call_new();
    CHECK(count == 2);
    if (strcmp(argument[1], "fatal") == 0) {
        reset(1000);
        FAILS(MAILBEARER_CLIENT_REJECTED, mailbearer_mailer_send_many(mailer, next, result, &run, NULL, &err));
        forget();
        CHECK(run.given < 20 && run.failed == run.given && run.sent == 0);
    } else {
        reset(25);
        run.wrong_at = 7;
        OK(mailbearer_mailer_send_many(mailer, next, result, &run, NULL, &err));
        CHECK(run.given == 25 && run.sent == 24 && run.failed == 1 && run.tags == 25 * 24 / 2);

        reset(1000);
        run.stop_at = 5;
        FAILS(MAILBEARER_CANCELLED, mailbearer_mailer_send_many(mailer, next, result, &run, NULL, &err));
        forget();
        CHECK(run.sent == 5);

        reset(1000);
        run.stop_after = 5;
        OK(mailbearer_mailer_send_many(mailer, next, result, &run, NULL, &err));
        CHECK(run.sent == run.given && run.sent >= 5 && run.given < 20);

        reset(0);
        OK(mailbearer_mailer_send_many(mailer, next, NULL, &run, NULL, &err));

        reset(1000);
        mailbearer_call_cancel(call);
        FAILS(MAILBEARER_CANCELLED, mailbearer_mailer_send_many(mailer, next, result, &run, call, &err));
        forget();
        CHECK(run.given == 0);
    }
    mailbearer_call_free(call);
    mailbearer_mailer_free(mailer);
    return 0;
}
