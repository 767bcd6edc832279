/* Sign-ins: a device code that somebody approves, and a redirect that comes back to another object. */
#include "check.h"

static void send_one(const mailbearer_mailer *mailer) {
    mailbearer_message *message = message_to("ada@example.com", NULL);
    mailbearer_receipt *receipt = NULL;
    OK(mailbearer_mailer_send(mailer, message, NULL, &receipt, &err));
    mailbearer_receipt_free(receipt);
    mailbearer_message_free(message);
}

static void device(const mailbearer_mailer *mailer, mailbearer_call *call) {
    mailbearer_login *login = NULL;
    mailbearer_account *account = NULL;
    OK(mailbearer_mailer_login(mailer, NULL, NULL, NULL, call, &login, &err));
    CHECK(strstr(mailbearer_login_message(login), mailbearer_login_user_code(login)));
    CHECK(strncmp(mailbearer_login_url(login), "http", 4) == 0);
    FAILS(MAILBEARER_CONFIG_INVALID, mailbearer_login_finish(login, NULL, call, &account, &err));
    forget();
    printf("code %s\n", mailbearer_login_user_code(login));
    fflush(stdout);
    OK(mailbearer_login_wait(login, call, &account, &err));
    CHECK(strcmp(mailbearer_account_username(account), "noreply@contoso.com") == 0);
    mailbearer_account_free(account);
    mailbearer_login_free(login);
}

static void redirect(const mailbearer_mailer *mailer, mailbearer_call *call) {
    mailbearer_login *login = NULL, *resumed = NULL;
    mailbearer_account *account = NULL;
    char callback[4096];
    OK(mailbearer_mailer_login(mailer, "authorization_code", "https://app.contoso.com/callback",
                               "ada.l@contoso.com", call, &login, &err));
    CHECK(strstr(mailbearer_login_url(login), "login_hint=ada.l%40contoso.com"));
    CHECK(mailbearer_login_user_code(login) == NULL);
    char *saved = mailbearer_login_save(login);
    CHECK(saved != NULL);
    printf("url %s\n", mailbearer_login_url(login));
    fflush(stdout);
    mailbearer_login_free(login);
    CHECK(fgets(callback, sizeof callback, stdin));
    callback[strcspn(callback, "\n")] = 0;
    OK(mailbearer_mailer_resume_login(mailer, saved, &resumed, &err));
    mailbearer_string_free(saved);
    OK(mailbearer_login_finish(resumed, callback, call, &account, &err));
    CHECK(strcmp(mailbearer_account_username(account), "noreply@contoso.com") == 0);
    mailbearer_account_free(account);
    account = NULL;
    FAILS(MAILBEARER_LOGIN_INVALID, mailbearer_login_finish(resumed, callback, call, &account, &err));
    forget();
    mailbearer_login_free(resumed);
    resumed = NULL;
    FAILS(MAILBEARER_LOGIN_INVALID, mailbearer_mailer_resume_login(mailer, "garbage", &resumed, &err));
    forget();
}

int main(int count, char **argument) {
    mailbearer_mailer *mailer = mailer_from_env();
    mailbearer_call *call = mailbearer_call_new();
    mailbearer_call_timeout_ms(call, 30000);
    CHECK(count == 2);
    if (strcmp(argument[1], "device") == 0) device(mailer, call);
    else redirect(mailer, call);
    send_one(mailer);
    mailbearer_call_free(call);
    mailbearer_mailer_free(mailer);
    return 0;
}
