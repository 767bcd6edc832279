/* A person signs in on another device: for a box without a browser. The tokens are kept where the options
 * say (`store`), so that the next program on this machine needs no person.
 *
 *   cc -o login login.c $(pkg-config --cflags --libs mailbearer)
 *   MAILBEARER_PROVIDER=microsoft365 MAILBEARER_AUTH__GRANT=device_code MAILBEARER_AUTH__CLIENT_ID=… \
 *   MAILBEARER_STORE=file ./login */
#include <mailbearer.h>

#include <stdio.h>

int main(void) {
    mailbearer_error *err = NULL;
    mailbearer_mailer *mailer = NULL;
    mailbearer_login *login = NULL;
    mailbearer_account *account = NULL;
    mailbearer_config *config = mailbearer_config_new();
    mailbearer_call *call = mailbearer_call_new();

    int failed = mailbearer_config_load_env(config, NULL, &err) ||
                 mailbearer_mailer_new(config, &mailer, &err) ||
                 mailbearer_mailer_login(mailer, "device_code", NULL, NULL, NULL, &login, &err);
    if (!failed) {
        puts(mailbearer_login_message(login));
        fflush(stdout);
        /* Another thread may end the wait with mailbearer_call_cancel. */
        mailbearer_call_timeout_ms(call, 10 * 60 * 1000);
        failed = mailbearer_login_wait(login, call, &account, &err) != 0;
    }
    if (failed) {
        fprintf(stderr, "login: %s\n", mailbearer_error_message(err));
    } else {
        printf("signed in as %s\n", mailbearer_account_username(account));
    }
    mailbearer_account_free(account);
    mailbearer_login_free(login);
    mailbearer_mailer_free(mailer);
    mailbearer_call_free(call);
    mailbearer_config_free(config);
    mailbearer_error_free(err);
    return failed;
}
