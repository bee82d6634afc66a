/* The whole interface from C: prints the answer to a question about a picture, got in four ways that must agree.
 *
 *     smoke MODEL MMPROJ PICTURE QUESTION
 */
#include "ocelli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM 4096

static const char options[] = "context=512 image=640x640\nthreads=2 max_tokens=12";

static void must(int right, const char *what, ocelli_session *session)
{
    if (!right) {
        fprintf(stderr, "failed: %s: %s\n", what, ocelli_error(session));
        exit(1);
    }
}

static unsigned char *read_file(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    unsigned char *bytes;
    long size = -1;
    must(file != NULL && fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) >= 0, path, NULL);
    rewind(file);
    bytes = malloc((size_t)size + 1);
    must(bytes != NULL && fread(bytes, 1, (size_t)size, file) == (size_t)size, path, NULL);
    fclose(file);
    *length = (size_t)size;
    return bytes;
}

static void show(ocelli_session *session, const void *picture, size_t picture_length, const char *question)
{
    must(ocelli_reset(session, OCELLI_RESET_ALL) == OCELLI_OK, "reset", session);
    must(ocelli_add_image(session, picture, picture_length) == OCELLI_OK, "image", session);
    must(ocelli_add_text(session, OCELLI_USER, question, OCELLI_Z) == OCELLI_OK, "text", session);
}

/* The answer by ocelli_next, in pieces of a few bytes. */
static void pull(ocelli_session *session, char *answer)
{
    char piece[8];
    size_t length, at = 0;
    ocelli_status status;
    while ((status = ocelli_next(session, piece, sizeof piece, &length)) == OCELLI_OK) {
        must(length < sizeof piece && piece[length] == 0 && at + length < ROOM, "piece", session);
        memcpy(answer + at, piece, length);
        at += length;
    }
    must(status == OCELLI_END, "next", session);
    answer[at] = 0;
}

struct gathered {
    char text[ROOM];
    size_t length;
};

static int gather(void *user, const char *text, size_t length)
{
    struct gathered *all = user;
    if (all->length + length >= ROOM || text[length] != 0) {
        return 1;
    }
    memcpy(all->text + all->length, text, length);
    all->length += length;
    return 0;
}

/* The answer by ocelli_answer. */
static void push(ocelli_session *session, char *answer)
{
    struct gathered all;
    all.length = 0;
    must(ocelli_answer(session, gather, &all) == OCELLI_OK, "answer", session);
    memcpy(answer, all.text, all.length);
    answer[all.length] = 0;
}

static void figures(ocelli_session *session)
{
    ocelli_stats stats;
    stats.size = sizeof stats;
    must(ocelli_get_stats(session, &stats) == OCELLI_OK, "stats", session);
    must(stats.beyond == 0 && stats.image_tokens > 0 && stats.answer_tokens > 0, "figures", session);
    fprintf(stderr, "%lu positions, %lu tokens; encode %lu us, prefill %lu us, answer %lu us\n",
            (unsigned long)stats.prompt_tokens, (unsigned long)stats.answer_tokens, (unsigned long)stats.encode_us,
            (unsigned long)stats.prefill_us, (unsigned long)stats.generate_us);
}

int main(int count, char **arguments)
{
    static char first[ROOM], other[ROOM];
    ocelli_source paths, bytes;
    ocelli_model *model;
    ocelli_session *session;
    ocelli_need need;
    size_t text_length, vision_length, picture_length, model_bytes;
    unsigned char *text, *vision, *picture;
    void *model_block, *session_block;

    if (count != 5) {
        return 2;
    }
    must(ocelli_check(OCELLI_ABI) == OCELLI_OK, "version", NULL);
    text = read_file(arguments[1], &text_length);
    vision = read_file(arguments[2], &vision_length);
    picture = read_file(arguments[3], &picture_length);

    /* Paths and malloc. */
    memset(&paths, 0, sizeof paths);
    paths.size = sizeof paths;
    paths.text_path = arguments[1];
    paths.vision_path = arguments[2];
    paths.text_path_length = paths.vision_path_length = OCELLI_Z;
    must(ocelli_model_open(&paths, NULL, 0, &model) == OCELLI_OK, "open", NULL);
    must(ocelli_session_new(model, options, OCELLI_Z, NULL, 0, &session) == OCELLI_OK, "session", NULL);
    show(session, picture, picture_length, arguments[4]);
    pull(session, first);
    figures(session);
    show(session, picture, picture_length, arguments[4]);
    push(session, other);
    must(strcmp(first, other) == 0, "the callback's answer", session);
    must(ocelli_add_text(session, 9, "x", 1) == OCELLI_BAD_ARGUMENT, "a role that is none", session);
    must(ocelli_cancel(session) == OCELLI_OK, "cancel", session);
    must(ocelli_session_free(session) == OCELLI_OK, "free", NULL);
    must(ocelli_model_free(model) == OCELLI_OK, "free", NULL);

    /* Memory and blocks of our own. */
    memset(&bytes, 0, sizeof bytes);
    bytes.size = sizeof bytes;
    bytes.text = text;
    bytes.text_length = text_length;
    bytes.vision = vision;
    bytes.vision_length = vision_length;
    must(ocelli_model_need(&bytes, &model_bytes) == OCELLI_OK, "need", NULL);
    model_block = malloc(model_bytes);
    must(ocelli_model_open(&bytes, model_block, model_bytes, &model) == OCELLI_OK, "open", NULL);
    need.size = sizeof need;
    must(ocelli_plan(model, options, OCELLI_Z, &need) == OCELLI_OK, "plan", NULL);
    session_block = malloc((size_t)need.session);
    must(ocelli_session_new(model, options, OCELLI_Z, session_block, (size_t)need.session, &session) == OCELLI_OK,
         "session", NULL);
    fprintf(stderr, "model %lu bytes, session %lu bytes\n", (unsigned long)model_bytes, (unsigned long)need.session);
    show(session, picture, picture_length, arguments[4]);
    pull(session, other);
    must(strcmp(first, other) == 0, "the answer in our own memory", session);
    show(session, picture, picture_length, arguments[4]);
    push(session, other);
    must(strcmp(first, other) == 0, "the callback's answer in our own memory", session);
    must(ocelli_model_free(model) == OCELLI_BUSY, "a model in use", NULL);
    must(ocelli_session_free(session) == OCELLI_OK, "free", NULL);
    must(ocelli_model_free(model) == OCELLI_OK, "free", NULL);
    must(ocelli_session_free(session) == OCELLI_BAD_HANDLE, "a freed session", NULL);
    must(ocelli_model_free(model) == OCELLI_BAD_HANDLE, "a freed model", NULL);

    free(session_block);
    free(model_block);
    free(picture);
    free(vision);
    free(text);
    puts(first);
    return 0;
}
