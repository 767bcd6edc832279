/* Many messages: one for each address on standard input, sent side by side with flat memory.
 *
 *   cc -o bulk bulk.c $(pkg-config --cflags --libs mailbearer)
 *   mailbearer emulator -- ./bulk < addresses.txt
 *
 * The options come from the environment (MAILBEARER_PROVIDER, MAILBEARER_AUTH__CLIENT_ID, …). */
#include <mailbearer.h>

#include <stdio.h>
#include <string.h>

struct job {
    FILE *addresses;
    unsigned long sent, failed, uncertain;
};

/* Called when another message can be sent; the message then belongs to the library. */
static int next(void *userdata, mailbearer_message **out) {
    struct job *job = userdata;
    mailbearer_error *err = NULL;
    char address[400];
    if (!fgets(address, sizeof address, job->addresses)) return ferror(job->addresses) ? -1 : 0;
    address[strcspn(address, "\r\n")] = 0;
    mailbearer_message *message = mailbearer_message_new();
    if (mailbearer_message_add(message, "to", address, &err) ||
        mailbearer_message_set(message, "subject", "News", &err) ||
        mailbearer_message_set(message, "text", "There is news.\n", &err) ||
        mailbearer_message_set(message, "tag", address, &err)) {
        fprintf(stderr, "bulk: %s\n", mailbearer_error_message(err));
        mailbearer_error_free(err);
        mailbearer_message_free(message);
        return -1;
    }
    *out = message;
    return 1;
}

/* Called once for each message, as the server's answers come. */
static int result(void *userdata, const mailbearer_result *result) {
    struct job *job = userdata;
    const mailbearer_error *error = mailbearer_result_error(result);
    if (!error) {
        job->sent++;
    } else if (mailbearer_error_delivery_uncertain(error)) {
        job->uncertain++;
    } else {
        job->failed++;
    }
    if (error) fprintf(stderr, "%s: %s\n", mailbearer_result_tag(result), mailbearer_error_message(error));
    return 0;
}

int main(void) {
    struct job job = {0};
    mailbearer_error *err = NULL;
    mailbearer_mailer *mailer = NULL;
    mailbearer_config *config = mailbearer_config_new();
    job.addresses = stdin;
    int failed = mailbearer_config_load_env(config, NULL, &err) ||
                 mailbearer_mailer_new(config, &mailer, &err) ||
                 mailbearer_mailer_send_many(mailer, next, result, &job, NULL, &err);
    if (failed) fprintf(stderr, "bulk: %s\n", mailbearer_error_message(err));
    printf("%lu sent, %lu failed, %lu uncertain\n", job.sent, job.failed, job.uncertain);
    mailbearer_mailer_free(mailer);
    mailbearer_config_free(config);
    mailbearer_error_free(err);
    return failed || job.failed || job.uncertain ? 1 : 0;
}
