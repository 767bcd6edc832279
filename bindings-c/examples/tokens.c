/* The token alone, for a program with an SMTP or IMAP client of its own: prints what goes behind
 * `AUTH XOAUTH2 ` on the wire. It is a secret.
 *
 *   cc -o tokens tokens.c $(pkg-config --cflags --libs mailbearer)
 *   mailbearer emulator -- ./tokens */
#include <mailbearer.h>

#include <stdio.h>
#include <time.h>

int main(void) {
    mailbearer_error *err = NULL;
    mailbearer_tokens *tokens = NULL;
    mailbearer_token *token = NULL;
    char *wire = NULL;
    mailbearer_config *config = mailbearer_config_new();

    int failed = mailbearer_config_load_env(config, NULL, &err) ||
                 mailbearer_tokens_new(config, &tokens, &err) ||
                 mailbearer_tokens_get(tokens, false, NULL, &token, &err);
    if (failed) {
        fprintf(stderr, "tokens: %s\n", mailbearer_error_message(err));
    } else {
        wire = mailbearer_token_xoauth2_base64(token, NULL);
        printf("%s\n", wire ? wire : "no mailbox is configured: set MAILBEARER_USERNAME");
        fprintf(stderr, "good for %ld seconds\n", (long)(mailbearer_token_expires_at(token) - (int64_t)time(NULL)));
    }
    /* If the server refuses it: mailbearer_tokens_invalidate(tokens, token), and get another. */
    mailbearer_string_free(wire);
    mailbearer_token_free(token);
    mailbearer_tokens_free(tokens);
    mailbearer_config_free(config);
    mailbearer_error_free(err);
    return failed;
}
