/* What the test programs share: checks that say where they failed, and a mailer from the environment. */
#ifndef CHECK_H
#define CHECK_H

#include <mailbearer.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            exit(1); \
        } \
    } while (0)

/* The call succeeds; its last argument is &err. */
#define OK(call) expect_ok((call), __FILE__, __LINE__)

/* The call fails with this status, and the error says so too; err is then the caller's to free. */
#define FAILS(number, call) expect_failure((number), (call), __FILE__, __LINE__)

static mailbearer_error *err;

static inline void expect_ok(mailbearer_status status, const char *file, int line) {
    if (status != 0) {
        char *json = mailbearer_error_json(err);
        fprintf(stderr, "%s:%d: status %d: %s\n", file, line, (int)status, json ? json : "no error");
        exit(1);
    }
    if (err != NULL) {
        fprintf(stderr, "%s:%d: an error was written on success\n", file, line);
        exit(1);
    }
}

static inline void expect_failure(mailbearer_status wanted, mailbearer_status status, const char *file, int line) {
    if (status != wanted || mailbearer_error_number(err) != wanted) {
        char *json = mailbearer_error_json(err);
        fprintf(stderr, "%s:%d: status %d instead of %d: %s\n", file, line, (int)status, (int)wanted,
                json ? json : "no error");
        exit(1);
    }
    if (strcmp(mailbearer_error_code(err), mailbearer_status_str(wanted)) != 0) {
        fprintf(stderr, "%s:%d: code %s\n", file, line, mailbearer_error_code(err));
        exit(1);
    }
}

static inline void forget(void) {
    mailbearer_error_free(err);
    err = NULL;
}

static inline mailbearer_config *config_from_env(void) {
    mailbearer_config *config = mailbearer_config_new();
    OK(mailbearer_config_load_env(config, NULL, &err));
    return config;
}

static inline mailbearer_mailer *mailer_from_env(void) {
    mailbearer_config *config = config_from_env();
    mailbearer_mailer *mailer = NULL;
    OK(mailbearer_mailer_new(config, &mailer, &err));
    mailbearer_config_free(config);
    return mailer;
}

static inline mailbearer_message *message_to(const char *address, const char *tag) {
    mailbearer_message *message = mailbearer_message_new();
    OK(mailbearer_message_add(message, "to", address, &err));
    OK(mailbearer_message_set(message, "subject", "From C", &err));
    OK(mailbearer_message_set(message, "text", "Hello\n", &err));
    if (tag) OK(mailbearer_message_set(message, "tag", tag, &err));
    return message;
}

#endif
