/* The C face for tests/conformance: requests as lines of `word value …` (values percent-encoded), ended by
   `do OP`; one JSON answer a line. It asserts nothing. */
#include "mailbearer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_MESSAGES 20000

static mailbearer_mailer *mailer;
static mailbearer_login *flow;
static mailbearer_error *err;

static struct {
    mailbearer_config *config;
    mailbearer_call *call;
    mailbearer_message *messages[MOST_MESSAGES];
    size_t count, next;
    char *method, *redirect_uri, *saved, *text, *callback, *send_to, *from;
    bool force;
    bool failed;
} request;

static size_t decode(char *text) {
    char *out = text;
    for (const char *in = text; *in; in++) {
        unsigned byte;
        if (*in == '%' && sscanf(in + 1, "%2x", &byte) == 1) {
            *out++ = (char)byte;
            in += 2;
        } else {
            *out++ = *in;
        }
    }
    *out = 0;
    return (size_t)(out - text);
}

/* Octets cross as Latin-1 in UTF-8: back to single octets. */
static size_t octets(char *text, size_t length) {
    size_t out = 0;
    for (size_t in = 0; in < length; in++) {
        unsigned char c = (unsigned char)text[in];
        if (c >= 0xC0 && in + 1 < length) {
            c = (unsigned char)(((c & 3) << 6) | ((unsigned char)text[++in] & 0x3F));
        }
        text[out++] = (char)c;
    }
    return out;
}

static char *duplicate(const char *text) {
    char *copy = malloc(strlen(text) + 1);
    return copy ? strcpy(copy, text) : NULL;
}

static const char *orNull(const char *text) { return text[0] ? text : NULL; }

static uint64_t milliseconds(const char *text) {
    char *unit;
    double number = strtod(text, &unit);
    double scale = strcmp(unit, "ms") == 0 ? 1 : strcmp(unit, "m") == 0 ? 60000 : 1000;
    return (uint64_t)(number * scale);
}

/* Everything that happens is printed beside. */
static void print(void *userdata, const char *json) {
    (void)userdata;
    fprintf(stderr, "%s\n", json);
}

/* The first error of building a request is its answer. */
static void note(mailbearer_status status) {
    if (status != 0) request.failed = true;
}

static void take(char *word, char **value, size_t *length, int values) {
    mailbearer_message *message = request.count ? request.messages[request.count - 1] : NULL;
    if (request.failed && strcmp(word, "message") != 0) return;
    if (strcmp(word, "option") == 0 && values == 2) {
        if (!request.config) {
            request.config = mailbearer_config_new();
            note(mailbearer_config_set_event_callback(request.config, print, NULL, &err));
        }
        note(mailbearer_config_set_json(request.config, value[0], value[1], &err));
    } else if (strcmp(word, "call") == 0 && strcmp(value[0], "timeout") == 0) {
        mailbearer_call_timeout_ms(request.call, milliseconds(value[1]));
    } else if (strcmp(word, "call") == 0 && strcmp(value[0], "partial") == 0) {
        note(mailbearer_call_partial(request.call, value[1], &err));
    } else if (strcmp(word, "with") == 0) {
        if (strcmp(value[0], "method") == 0) request.method = duplicate(value[1]);
        if (strcmp(value[0], "redirect_uri") == 0) request.redirect_uri = duplicate(value[1]);
        if (strcmp(value[0], "saved") == 0) request.saved = duplicate(value[1]);
        if (strcmp(value[0], "text") == 0) request.text = duplicate(value[1]);
        if (strcmp(value[0], "callback") == 0) request.callback = duplicate(value[1]);
        if (strcmp(value[0], "send_to") == 0) request.send_to = duplicate(value[1]);
        if (strcmp(value[0], "from") == 0) request.from = duplicate(value[1]);
        if (strcmp(value[0], "force") == 0) request.force = true;
    } else if (strcmp(word, "message") == 0) {
        if (request.count < MOST_MESSAGES) request.messages[request.count++] = mailbearer_message_new();
    } else if (strcmp(word, "set") == 0) {
        note(mailbearer_message_set(message, value[0], value[1], &err));
    } else if (strcmp(word, "add") == 0) {
        note(mailbearer_message_add(message, value[0], value[1], &err));
    } else if (strcmp(word, "header") == 0) {
        note(mailbearer_message_header(message, value[0], value[1], &err));
    } else if (strcmp(word, "attach_file") == 0) {
        note(mailbearer_message_attach_file(message, value[0], orNull(value[1]), orNull(value[2]), &err));
    } else if (strcmp(word, "attach_bytes") == 0) {
        size_t size = octets(value[0], length[0]);
        note(mailbearer_message_attach_bytes(message, value[0], size, orNull(value[1]), orNull(value[2]),
                                             orNull(value[3]), &err));
    } else if (strcmp(word, "raw") == 0) {
        size_t size = octets(value[0], length[0]);
        note(mailbearer_message_set_raw(message, value[0], size, &err));
    }
}

static void failed(void) {
    char *json = mailbearer_error_json(err);
    printf("{\"error\":%s}\n", json ? json : "null");
    mailbearer_string_free(json);
    mailbearer_error_free(err);
    err = NULL;
}

static void quoted(const char *text) {
    if (!text) {
        fputs("null", stdout);
        return;
    }
    putchar('"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') printf("\\%c", c);
        else if (c < 0x20) printf("\\u%04x", c);
        else putchar(c);
    }
    putchar('"');
}

static int next_message(void *userdata, mailbearer_message **out) {
    (void)userdata;
    if (request.next == request.count) return 0;
    *out = request.messages[request.next];
    request.messages[request.next++] = NULL;
    return 1;
}

static int on_result(void *userdata, const mailbearer_result *result) {
    int *results = userdata;
    const mailbearer_receipt *receipt = mailbearer_result_receipt(result);
    const mailbearer_error *error = mailbearer_result_error(result);
    char *json = receipt ? mailbearer_receipt_json(receipt) : mailbearer_error_json(error);
    const char *outcome = receipt ? "sent" : mailbearer_error_delivery_uncertain(error) ? "uncertain" : "failed";
    printf("%s{\"outcome\":\"%s\",\"tag\":", (*results)++ ? "," : "", outcome);
    quoted(mailbearer_result_tag(result));
    printf(",\"receipt\":%s,\"error\":%s}", receipt ? json : "null", receipt ? "null" : json);
    mailbearer_string_free(json);
    return 0;
}

static void begun(void) {
    printf("{\"ok\":{\"url\":");
    quoted(mailbearer_login_url(flow));
    printf(",\"user_code\":");
    quoted(mailbearer_login_user_code(flow));
    printf(",\"message\":");
    quoted(mailbearer_login_message(flow));
    printf("}}\n");
}

static void account(mailbearer_status status, mailbearer_account *found) {
    if (status != 0) {
        failed();
        return;
    }
    printf("{\"ok\":{\"username\":");
    quoted(mailbearer_account_username(found));
    printf("}}\n");
    mailbearer_account_free(found);
}

static void perform(const char *op) {
    if (strcmp(op, "close") == 0) {
        mailbearer_login_free(flow);
        flow = NULL;
        if (mailer) mailbearer_mailer_close(mailer, NULL, NULL);
        mailbearer_mailer_free(mailer);
        mailer = NULL;
        puts("{\"ok\":{}}");
        return;
    }
    if (!request.failed && request.config) {
        mailbearer_mailer_free(mailer);
        mailer = NULL;
        note(request.failed ? 1 : mailbearer_mailer_new(request.config, &mailer, &err));
    }
    if (request.failed) {
        failed();
        return;
    }
    if (strcmp(op, "open") == 0) {
        puts("{\"ok\":{}}");
    } else if (strcmp(op, "send") == 0 || strcmp(op, "send_raw") == 0) {
        mailbearer_receipt *receipt = NULL;
        if (mailbearer_mailer_send(mailer, request.messages[0], request.call, &receipt, &err) != 0) {
            failed();
            return;
        }
        char *json = mailbearer_receipt_json(receipt);
        printf("{\"ok\":%s}\n", json);
        mailbearer_string_free(json);
        mailbearer_receipt_free(receipt);
    } else if (strcmp(op, "send_many") == 0) {
        int results = 0;
        printf("{\"ok\":{\"results\":[");
        if (mailbearer_mailer_send_many(mailer, next_message, on_result, &results, request.call, &err) != 0) {
            char *json = mailbearer_error_json(err);
            printf("]},\"error\":%s}\n", json);
            mailbearer_string_free(json);
            mailbearer_error_free(err);
            err = NULL;
        } else {
            printf("]}}\n");
        }
    } else if (strcmp(op, "token") == 0) {
        mailbearer_tokens *tokens = NULL;
        mailbearer_token *token = NULL;
        if (mailbearer_mailer_tokens(mailer, &tokens, &err) != 0 ||
            mailbearer_tokens_get(tokens, request.force, request.call, &token, &err) != 0) {
            failed();
        } else {
            printf("{\"ok\":{\"secret\":");
            quoted(mailbearer_token_secret(token));
            printf("}}\n");
        }
        mailbearer_token_free(token);
        mailbearer_tokens_free(tokens);
    } else if (strcmp(op, "for_mailbox") == 0) {
        mailbearer_mailer *sibling = mailbearer_mailer_for_mailbox(mailer, request.text, request.from, &err);
        if (!sibling) {
            failed();
        } else {
            mailbearer_mailer_free(mailer);
            mailer = sibling;
            puts("{\"ok\":{}}");
        }
    } else if (strcmp(op, "logout") == 0) {
        mailbearer_tokens *tokens = NULL;
        if (mailbearer_mailer_tokens(mailer, &tokens, &err) != 0 ||
            mailbearer_tokens_logout(tokens, &err) != 0) {
            failed();
        } else {
            puts("{\"ok\":{}}");
        }
        mailbearer_tokens_free(tokens);
    } else if (strcmp(op, "login") == 0 || strcmp(op, "resume") == 0) {
        mailbearer_login_free(flow);
        flow = NULL;
        mailbearer_status status =
            strcmp(op, "login") == 0
                ? mailbearer_mailer_login(mailer, request.method, request.redirect_uri, NULL, request.call, &flow, &err)
                : mailbearer_mailer_resume_login(mailer, request.saved, &flow, &err);
        if (status != 0) failed();
        else begun();
    } else if (strcmp(op, "import") == 0) {
        mailbearer_tokens *tokens = NULL;
        mailbearer_account *found = NULL;
        mailbearer_status status = mailbearer_mailer_tokens(mailer, &tokens, &err);
        if (status == 0) status = mailbearer_tokens_import_login(tokens, request.text, request.call, &found, &err);
        account(status, found);
        mailbearer_tokens_free(tokens);
    } else if (strcmp(op, "wait") == 0) {
        mailbearer_account *found = NULL;
        mailbearer_status status = mailbearer_login_wait(flow, request.call, &found, &err);
        account(status, found);
    } else if (strcmp(op, "finish") == 0) {
        mailbearer_account *found = NULL;
        mailbearer_status status = mailbearer_login_finish(flow, request.callback, request.call, &found, &err);
        account(status, found);
    } else if (strcmp(op, "save") == 0) {
        char *saved = mailbearer_login_save(flow);
        printf("{\"ok\":{\"saved\":");
        quoted(saved);
        printf("}}\n");
        mailbearer_string_free(saved);
    } else if (strcmp(op, "metrics") == 0) {
        char *numbers = mailbearer_mailer_metrics_json(mailer);
        char *text = mailbearer_prometheus();
        printf("{\"ok\":{\"metrics\":%s,\"prometheus\":", numbers);
        quoted(text);
        printf("}}\n");
        mailbearer_string_free(numbers);
        mailbearer_string_free(text);
    } else if (strcmp(op, "explain") == 0) {
        char *json = mailbearer_explain_json(request.text);
        printf("{\"ok\":{\"explanations\":%s}}\n", json);
        mailbearer_string_free(json);
    } else if (strcmp(op, "export") == 0) {
        if (mailbearer_mailer_export_metrics(mailer, request.text, request.call, &err) != 0) {
            failed();
            return;
        }
        printf("{\"ok\":{}}\n");
    } else if (strcmp(op, "verify") == 0) {
        mailbearer_report *report = NULL;
        if (mailbearer_mailer_verify(mailer, request.send_to, request.call, &report, &err) != 0) {
            failed();
            return;
        }
        char *text = mailbearer_report_text(report);
        printf("{\"ok\":{\"ok\":%s,\"text\":", mailbearer_report_ok(report) ? "true" : "false");
        quoted(text);
        printf("}}\n");
        mailbearer_string_free(text);
        mailbearer_report_free(report);
    } else {
        fprintf(stderr, "unknown op %s\n", op);
        exit(2);
    }
}

static void begin(void) {
    for (size_t at = 0; at < request.count; at++) mailbearer_message_free(request.messages[at]);
    mailbearer_config_free(request.config);
    mailbearer_call_free(request.call);
    free(request.method);
    free(request.redirect_uri);
    free(request.saved);
    free(request.text);
    free(request.callback);
    free(request.send_to);
    free(request.from);
    memset(&request, 0, sizeof request);
    request.call = mailbearer_call_new();
}

int main(void) {
    static char line[64 * 1024 * 1024];
    begin();
    while (fgets(line, sizeof line, stdin)) {
        char *value[5] = {0};
        size_t length[5] = {0};
        int values = 0;
        line[strcspn(line, "\n")] = 0;
        char *word = line;
        for (char *at = strchr(line, ' '); at && values < 5; at = strchr(at, ' ')) {
            *at++ = 0;
            value[values++] = at;
        }
        for (int i = 0; i < values; i++) length[i] = decode(value[i]);
        if (strcmp(word, "do") == 0) {
            perform(value[0]);
            fflush(stdout);
            begin();
        } else if (values > 0 || strcmp(word, "message") == 0) {
            take(word, value, length, values);
        }
    }
    begin();
    mailbearer_call_free(request.call);
    mailbearer_login_free(flow);
    mailbearer_mailer_free(mailer);
    return 0;
}
