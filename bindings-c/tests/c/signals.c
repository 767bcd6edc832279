/* The host's signals stay the host's: a peer that hangs up in the middle of a message raises no SIGPIPE, no
   library thread takes a signal, and a handler of the host runs while a call waits. */
#include "check.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t alarms;
static pthread_t caller;

static void on_alarm(int number) {
    (void)number;
    if (pthread_equal(pthread_self(), caller)) alarms++;
}

/* Every thread but this one blocks what can be blocked: all but SIGKILL and SIGSTOP, and the two or three
   that the C library keeps for itself. Counts them, and those on which a SIGPIPE waits for ever. */
static int threads_that_block_all(int *broken_pipes) {
    int found = 0;
    DIR *tasks = opendir("/proc/self/task");
    CHECK(tasks != NULL);
    for (struct dirent *task; (task = readdir(tasks)) != NULL;) {
        char path[300], line[200];
        if (task->d_name[0] == '.' || atol(task->d_name) == (long)getpid()) continue;
        snprintf(path, sizeof path, "/proc/self/task/%s/status", task->d_name);
        FILE *status = fopen(path, "r");
        if (!status) continue;
        while (fgets(line, sizeof line, status)) {
            if (strncmp(line, "SigPnd:", 7) == 0 && (strtoull(line + 7, NULL, 16) & 1 << (SIGPIPE - 1))) {
                (*broken_pipes)++;
            }
            if (strncmp(line, "SigBlk:", 7) == 0) {
                unsigned long long blocked = strtoull(line + 7, NULL, 16);
                CHECK((blocked & 0x7ffbfeff) == 0x7ffbfeff);
                found++;
            }
        }
        fclose(status);
    }
    closedir(tasks);
    return found;
}

int main(int count, char **argument) {
    int broken_pipes = 0;
    struct sigaction action, pipe_action;
    sigset_t mask;
    caller = pthread_self();
    memset(&action, 0, sizeof action);
    action.sa_handler = on_alarm;
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    mailbearer_mailer *mailer = mailer_from_env();
    mailbearer_message *message = message_to("ada@example.com", NULL);
    mailbearer_receipt *receipt = NULL;
    CHECK(count == 2);
    CHECK(sigaction(SIGPIPE, NULL, &pipe_action) == 0 && pipe_action.sa_handler == SIG_DFL);

    if (strcmp(argument[1], "pipe") == 0) {
        size_t size = 8 * 1024 * 1024;
        char *big = malloc(size);
        memset(big, 'x', size);
        OK(mailbearer_message_attach_bytes(message, big, size, "big.txt", "text/plain", NULL, &err));
        free(big);
        for (int i = 0; i < 10; i++) {
            mailbearer_status status = mailbearer_mailer_send(mailer, message, NULL, &receipt, &err);
            CHECK(status == MAILBEARER_CONNECTION_LOST);
            CHECK(receipt == NULL && !mailbearer_error_delivery_uncertain(err));
            forget();
        }
    } else if (strcmp(argument[1], "closed") == 0) {
        /* Each connection is cut one step later, with a write of ours under way. */
        int lost = 0;
        for (int i = 0; i < 14; i++) {
            mailbearer_status status = mailbearer_mailer_send(mailer, message, NULL, &receipt, &err);
            if (status != 0) lost++;
            forget();
            mailbearer_receipt_free(receipt);
            receipt = NULL;
        }
        CHECK(lost > 3);
        CHECK(threads_that_block_all(&broken_pipes) >= 2);
        /* The kernel did raise it: on a thread that blocks it. */
        CHECK(broken_pipes > 0);
    } else {
        /* The server answers late, so the alarm comes while the call waits. */
        alarm(1);
        OK(mailbearer_mailer_send(mailer, message, NULL, &receipt, &err));
        CHECK(alarms == 1);
        mailbearer_receipt_free(receipt);
        CHECK(threads_that_block_all(&broken_pipes) >= 2);
    }
    /* Neither mask nor handlers were touched. */
    CHECK(pthread_sigmask(SIG_BLOCK, NULL, &mask) == 0);
    CHECK(!sigismember(&mask, SIGPIPE) && !sigismember(&mask, SIGINT) && !sigismember(&mask, SIGALRM));
    CHECK(sigaction(SIGPIPE, NULL, &pipe_action) == 0 && pipe_action.sa_handler == SIG_DFL);
    mailbearer_message_free(message);
    mailbearer_mailer_free(mailer);
    return 0;
}
