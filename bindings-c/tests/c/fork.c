/* A child sends with the objects of its parent, while the parent goes on sending. */
#include "check.h"

#include <sys/wait.h>
#include <unistd.h>

static void send_ten(const mailbearer_mailer *mailer) {
    for (int i = 0; i < 10; i++) {
        mailbearer_message *message = message_to("ada@example.com", NULL);
        mailbearer_receipt *receipt = NULL;
        OK(mailbearer_mailer_send(mailer, message, NULL, &receipt, &err));
        mailbearer_receipt_free(receipt);
        mailbearer_message_free(message);
    }
}

int main(void) {
    mailbearer_mailer *mailer = mailer_from_env();
    pid_t child[3];
    send_ten(mailer);
    for (int i = 0; i < 3; i++) {
        child[i] = fork();
        CHECK(child[i] >= 0);
        if (child[i] == 0) {
            send_ten(mailer);
            mailbearer_mailer_free(mailer);
            exit(0);
        }
    }
    send_ten(mailer);
    for (int i = 0; i < 3; i++) {
        int status;
        CHECK(waitpid(child[i], &status, 0) == child[i] && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    mailbearer_mailer_free(mailer);
    return 0;
}
