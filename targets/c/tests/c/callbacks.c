/* Every function, called from within an answer's callback, and handles made there that outlive the session they were made in.
 *
 *     callbacks MODEL MMPROJ PICTURE QUESTION
 *
 * Run under valgrind and with gcc's sanitizers: what is freed is overwritten first.
 */
#include "ocelli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char options[] = "context=512 image=640x640 threads=2 max_tokens=12";

/* All that a callback needs. */
struct world {
    ocelli_source source;
    unsigned char *picture;
    size_t picture_length;
    const char *question;
    ocelli_model *model;
    ocelli_session *session;
    /* made within */
    ocelli_model *inner_model;
    ocelli_session *inner_session, *other_session;
    int called, wrong;
};

static void right(struct world *world, int is, const char *what)
{
    if (!is) {
        fprintf(stderr, "wrong: %s\n", what);
        world->wrong = 1;
    }
}

static int gather(void *user, const char *text, size_t length)
{
    strncat(user, text, length);
    return 0;
}

static void ask(struct world *world, ocelli_session *session, char *answer)
{
    answer[0] = 0;
    right(world, ocelli_add_image(session, world->picture, world->picture_length) == OCELLI_OK, "image");
    right(world, ocelli_add_text(session, OCELLI_USER, world->question, OCELLI_Z) == OCELLI_OK, "text");
    right(world, ocelli_answer(session, gather, answer) == OCELLI_OK, "answer");
}

static int sink(void *user, const char *text, size_t length)
{
    struct world *world = user;
    ocelli_session *session = world->session;
    ocelli_stats stats;
    ocelli_need need;
    const float *values;
    size_t bytes, rows, width;
    char room[16], answer[4096];
    unsigned char pixel[3];
    ocelli_frame frame;

    (void)text;
    (void)length;
    if (world->called++) {
        return 0;
    }
    memset(pixel, 9, sizeof pixel);
    memset(&frame, 0, sizeof frame);
    frame.size = sizeof frame;
    frame.width = frame.height = 1;
    frame.plane = pixel;
    frame.plane_length = frame.plane_stride = 3;
    stats.size = sizeof stats;
    need.size = sizeof need;
    /* With the session that has called: busy, and nothing happens. */
    right(world, ocelli_set(session, "seed", OCELLI_Z, "1", 1) == OCELLI_BUSY, "set");
    right(world, strstr(ocelli_error(NULL), "another call") != NULL, "the thread's error");
    right(world, strstr(ocelli_error(session), "another call") != NULL, "the session's error");
    right(world, ocelli_add_text(session, OCELLI_USER, "x", 1) == OCELLI_BUSY, "add_text");
    right(world, ocelli_add_image(session, world->picture, world->picture_length) == OCELLI_BUSY, "add_image");
    right(world, ocelli_add_frame(session, &frame) == OCELLI_BUSY, "add_frame");
    right(world, ocelli_embed(session, &values, &rows, &width) == OCELLI_BUSY, "embed");
    right(world, ocelli_next(session, room, sizeof room, &bytes) == OCELLI_BUSY, "next");
    right(world, ocelli_answer(session, gather, answer) == OCELLI_BUSY, "answer");
    right(world, ocelli_reset(session, OCELLI_RESET_ALL) == OCELLI_BUSY, "reset");
    right(world, ocelli_get_stats(session, &stats) == OCELLI_BUSY, "get_stats");
    right(world, ocelli_session_free(session) == OCELLI_BUSY, "session_free");
    right(world, ocelli_model_free(world->model) == OCELLI_BUSY, "model_free");
    /* Without it: all is as ever, and lives where the header says. */
    right(world, ocelli_check(OCELLI_ABI) == OCELLI_OK && ocelli_version()[0] != 0, "check");
    right(world, ocelli_use_platform(NULL) < 0, "use_platform");
    right(world, ocelli_model_need(&world->source, &bytes) == OCELLI_OK && bytes > 0, "model_need");
    right(world, ocelli_plan(world->model, options, OCELLI_Z, &need) == OCELLI_OK, "plan");
    right(world, ocelli_model_open(&world->source, NULL, 0, &world->inner_model) == OCELLI_OK, "model_open");
    right(world,
          ocelli_session_new(world->inner_model, options, OCELLI_Z, NULL, 0, &world->inner_session) == OCELLI_OK,
          "session_new");
    right(world, ocelli_session_new(world->model, options, OCELLI_Z, NULL, 0, &world->other_session) == OCELLI_OK,
          "session_new of the same model");
    ask(world, world->inner_session, answer);
    right(world, ocelli_model_free(world->inner_model) == OCELLI_BUSY, "model_free of the inner one");
    return 0;
}

static unsigned char *read_file(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    unsigned char *bytes;
    long size;
    if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0) {
        exit(2);
    }
    rewind(file);
    bytes = malloc((size_t)size + 1);
    if (bytes == NULL || fread(bytes, 1, (size_t)size, file) != (size_t)size) {
        exit(2);
    }
    fclose(file);
    *length = (size_t)size;
    return bytes;
}

/* One session, in a block of ours or in malloc, whose callback does all that; then its block is gone. */
static void once(struct world *world, int in_block, char *answer)
{
    char again[4096];
    ocelli_need need;
    ocelli_stats stats;
    void *block = NULL;
    size_t size = 0;

    world->called = 0;
    need.size = sizeof need;
    stats.size = sizeof stats;
    right(world, ocelli_plan(world->model, options, OCELLI_Z, &need) == OCELLI_OK, "plan");
    if (in_block) {
        size = (size_t)need.session;
        block = malloc(size);
    }
    right(world, ocelli_session_new(world->model, options, OCELLI_Z, block, size, &world->session) == OCELLI_OK, "new");
    ocelli_add_image(world->session, world->picture, world->picture_length);
    ocelli_add_text(world->session, OCELLI_USER, world->question, OCELLI_Z);
    right(world, ocelli_answer(world->session, sink, world) == OCELLI_OK && world->called > 0, "the outer answer");
    right(world, ocelli_get_stats(world->session, &stats) == OCELLI_OK && stats.beyond == 0, "bytes beyond the block");
    right(world, ocelli_session_free(world->session) == OCELLI_OK, "free");
    if (in_block) {
        right(world, ocelli_session_free(world->session) == OCELLI_BAD_HANDLE, "freed");
        memset(block, 0xee, size);
        free(block);
    }
    /* What was made within is there, and in use. */
    ask(world, world->other_session, again);
    right(world, ocelli_reset(world->inner_session, OCELLI_RESET_ALL) == OCELLI_OK, "reset");
    ask(world, world->inner_session, answer);
    right(world, strcmp(answer, again) == 0 && answer[0] != 0, "the same answer");
    right(world, ocelli_session_free(world->inner_session) == OCELLI_OK, "free");
    right(world, ocelli_session_free(world->other_session) == OCELLI_OK, "free");
    right(world, ocelli_model_free(world->inner_model) == OCELLI_OK, "free");
}

int main(int count, char **arguments)
{
    static char answer[4096];
    struct world world;

    if (count != 5) {
        return 2;
    }
    memset(&world, 0, sizeof world);
    world.source.size = sizeof world.source;
    world.source.text_path = arguments[1];
    world.source.vision_path = arguments[2];
    world.source.text_path_length = world.source.vision_path_length = OCELLI_Z;
    world.picture = read_file(arguments[3], &world.picture_length);
    world.question = arguments[4];
    if (ocelli_model_open(&world.source, NULL, 0, &world.model) != OCELLI_OK) {
        return 1;
    }
    once(&world, 1, answer);
    once(&world, 0, answer);
    right(&world, ocelli_model_free(world.model) == OCELLI_OK, "free");
    free(world.picture);
    puts(answer);
    return world.wrong;
}
