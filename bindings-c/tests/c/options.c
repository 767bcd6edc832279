/* What is set wins over the environment, the environment over the file, in whatever order they are given. */
#include "check.h"

/* The From that a mailer of these options gives a message. */
static void sends_from(const mailbearer_config *config, const char *address) {
    mailbearer_mailer *mailer = NULL;
    mailbearer_message *message = message_to("ada@example.com", NULL);
    uint8_t *bytes = NULL;
    size_t length = 0;
    char wanted[100];
    OK(mailbearer_mailer_new(config, &mailer, &err));
    OK(mailbearer_mailer_render(mailer, message, &bytes, &length, &err));
    snprintf(wanted, sizeof wanted, "From: %s\r\n", address);
    char *text = malloc(length + 1);
    memcpy(text, bytes, length);
    text[length] = 0;
    if (!strstr(text, wanted)) {
        fprintf(stderr, "no %s in:\n%s\n", wanted, text);
        exit(1);
    }
    free(text);
    mailbearer_bytes_free(bytes, length);
    mailbearer_message_free(message);
    mailbearer_mailer_free(mailer);
}

static void layers(mailbearer_config *config) {
    mailbearer_mailer *mailer = NULL;
    OK(mailbearer_config_load_file(config, getenv("FILE"), NULL, &err));
    sends_from(config, "file@example.com");
    OK(mailbearer_config_load_env(config, "TEST_", &err));
    sends_from(config, "env@example.com");
    OK(mailbearer_config_load_file(config, getenv("FILE"), "other", &err));
    sends_from(config, "env@example.com");
    OK(mailbearer_config_set(config, "from", "set@example.com", &err));
    OK(mailbearer_config_load_env(config, "TEST_", &err));
    sends_from(config, "set@example.com");
    OK(mailbearer_config_set_json(config, "", "{\"from\": {\"name\": null, \"address\": \"json@example.com\"}}", &err));
    sends_from(config, "json@example.com");

    FAILS(MAILBEARER_CONFIG_INVALID, mailbearer_config_load_file(config, getenv("FILE"), "absent", &err));
    CHECK(strstr(mailbearer_error_message(err), "no profile `absent`"));
    forget();
    OK(mailbearer_config_set(config, "timeout", "10", &err));
    FAILS(MAILBEARER_CONFIG_INVALID, mailbearer_mailer_new(config, &mailer, &err));
    CHECK(strstr(mailbearer_error_message(err), "`timeout`") && mailer == NULL);
    forget();
}

int main(int count, char **argument) {
    mailbearer_config *config = mailbearer_config_new();
    CHECK(count == 2);
    if (strcmp(argument[1], "layers") == 0) {
        layers(config);
    } else if (strcmp(argument[1], "named") == 0) {
        OK(mailbearer_config_load_env(config, NULL, &err));
        sends_from(config, "file@example.com");
    } else {
        FAILS(MAILBEARER_CONFIG_INVALID, mailbearer_config_load_env(config, NULL, &err));
        CHECK(strstr(mailbearer_error_message(err), "/nowhere/mailbearer.toml"));
        forget();
    }
    mailbearer_config_free(config);
    return 0;
}
