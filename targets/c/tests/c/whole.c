/* Every name of the header, used: each function with all that it takes, each status met but a fault, every pixel format and
 * option, answers pulled, pushed, stopped and taken up again, other threads beside.
 *
 *     whole MODEL MMPROJ PICTURE QUESTION [PICTURE...]
 *
 * For sanitizers and valgrind: every piece of memory is as long as it must be and not a byte longer, and whatever comes out
 * is looked at. A test holds this file against the header, so that what is added there is added here.
 */
#include "ocelli.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROOM 4096

static const char small[] = "context=512 image=640x640 threads=2 max_tokens=12";
static const char every[] =
    "context=512 image=640x640\nimage_tokens=400 text=2000 decode=20000000\tthreads=1 pin=0 batch=32 kv=f32 limit=90000000 "
    "fit=1 tower_int8=0 isa=scalar max_tokens=12 temperature=0.5 top_k=9 top_p=0.9 min_p=0.01 seed=7 repetition_penalty=1.1 "
    "repetition_last=32 deadline_ms=0 orientation=none template=model stop=\1\2";

/* Statuses met, counted from the lowest. */
static int met[32];
#define LOWEST OCELLI_UNSUPPORTED

static void must(int is, const char *what)
{
    if (!is) {
        fprintf(stderr, "wrong: %s: %s\n", what, ocelli_error(NULL));
        exit(1);
    }
}

/* A call gives this status; an error has a sentence. */
static void gives(ocelli_status found, ocelli_status expected, const char *what, ocelli_session *session)
{
    const char *sentence = ocelli_error(session);
    if (found != expected || (expected < 0 && strlen(sentence) == 0)) {
        fprintf(stderr, "%s: %ld instead of %ld: %s\n", what, (long)found, (long)expected, sentence);
        exit(1);
    }
    met[found - LOWEST] = 1;
}

static void *piece_of(size_t bytes)
{
    void *piece = malloc(bytes);
    must(piece != NULL, "malloc");
    memset(piece, 0xdd, bytes);
    return piece;
}

static unsigned char *read_file(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    unsigned char *bytes;
    long size = -1;
    must(file != NULL && fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) > 0, path);
    rewind(file);
    bytes = piece_of((size_t)size);
    must(fread(bytes, 1, (size_t)size, file) == (size_t)size, path);
    fclose(file);
    *length = (size_t)size;
    return bytes;
}

/* Words and numbers that need no handle. */
static void words(void)
{
    static const ocelli_status all[] = {
        OCELLI_OK, OCELLI_END, OCELLI_CANCELLED, OCELLI_LATE, OCELLI_BAD_ARGUMENT, OCELLI_BAD_HANDLE, OCELLI_BAD_TEXT,
        OCELLI_BAD_OPTION, OCELLI_BAD_ORDER, OCELLI_BAD_VERSION, OCELLI_BAD_FILE, OCELLI_BAD_MODEL, OCELLI_BAD_IMAGE,
        OCELLI_BUSY, OCELLI_NO_MEMORY, OCELLI_NO_ROOM, OCELLI_NO_CONTEXT, OCELLI_NO_VISION, OCELLI_FAULT,
        OCELLI_UNSUPPORTED
    };
    size_t i, k;
    ocelli_clock none = NULL;
    ocelli_platform platform;
    for (i = 0; i < sizeof all / sizeof all[0]; ++i) {
        must(strlen(ocelli_status_text(all[i])) > 1, "a status in words");
        for (k = 0; k < i; ++k) {
            must(strcmp(ocelli_status_text(all[i]), ocelli_status_text(all[k])) != 0, "words of its own");
        }
    }
    must(strlen(ocelli_status_text(99)) > 1, "a status that is none");
    must(strchr(ocelli_version(), '.') != NULL, "the version");
    gives(ocelli_check(OCELLI_ABI), OCELLI_OK, "check", NULL);
    met[ocelli_check((uint32_t)(OCELLI_ABI_MAJOR + 1) << 16 | OCELLI_ABI_MINOR) - LOWEST] = 1;
    memset(&platform, 0, sizeof platform);
    platform.size = sizeof platform;
    platform.clock_ms = none;
    gives(ocelli_use_platform(&platform), OCELLI_UNSUPPORTED, "use_platform", NULL);
}

/* Appends a piece of text, which is followed by a zero, and in which a zero is a character like any other. */
static size_t append(char *all, size_t at, const char *piece, size_t length)
{
    size_t i;
    must(piece[length] == 0 && at + length < ROOM, "a piece");
    for (i = 0; i < length; ++i) {
        all[at + i] = piece[i] == 0 ? '0' : piece[i];
    }
    all[at + length] = 0;
    return at + length;
}

struct heard {
    char text[ROOM];
    size_t length;
    int pieces, until;
    ocelli_session *session;
};

/* Takes as many pieces as it should, then stops the answer. */
static int hear(void *user, const char *text, size_t length)
{
    struct heard *heard = user;
    ocelli_stats stats;
    must(length > 0, "a piece with something in it");
    heard->length = append(heard->text, heard->length, text, length);
    stats.size = sizeof stats;
    gives(ocelli_get_stats(heard->session, &stats), OCELLI_BUSY, "within", NULL);
    return ++heard->pieces == heard->until;
}

/* The whole answer from a callback that stops it after every `each` pieces, if that is not 0. */
static void push(ocelli_session *session, int each, char *answer)
{
    struct heard heard;
    ocelli_sink sink = hear;
    ocelli_status status;
    memset(&heard, 0, sizeof heard);
    heard.session = session;
    do {
        heard.until = each == 0 ? 0 : heard.pieces + each;
        status = ocelli_answer(session, sink, &heard);
    } while (each != 0 && status == OCELLI_CANCELLED);
    gives(status, OCELLI_OK, "answer", session);
    strcpy(answer, heard.text);
}

/* The whole answer in pieces of at most so many bytes, a zero included. */
static void pull(ocelli_session *session, size_t room, char *answer)
{
    char *piece = piece_of(room);
    size_t length, all = 0;
    ocelli_status status;
    answer[0] = 0;
    gives(ocelli_next(session, piece, 4, &length), OCELLI_NO_ROOM, "four bytes", session);
    while ((status = ocelli_next(session, piece, room, &length)) == OCELLI_OK) {
        must(length < room, "a piece that fits");
        all = append(answer, all, piece, length);
    }
    gives(status, OCELLI_END, "next", session);
    free(piece);
}

static void figures(ocelli_session *session, uint32_t ended)
{
    ocelli_stats stats;
    stats.size = sizeof stats;
    gives(ocelli_get_stats(session, &stats), OCELLI_OK, "get_stats", session);
    must(stats.beyond == 0 && stats.heap_peak > 0, "the block's figures");
    must(stats.ended == ended, "why it ended");
    must(stats.image_tokens <= stats.prompt_tokens && stats.reused_tokens <= stats.prompt_tokens
             && stats.prompt_tokens + stats.answer_tokens <= stats.context_used + 1,
         "figures of tokens");
    must(stats.decode_us + stats.resize_us + stats.encode_us + stats.prefill_us + stats.generate_us < 600000000u, "times");
}

static void say(ocelli_session *session, int32_t role, const char *text)
{
    gives(ocelli_add_text(session, role, text, OCELLI_Z), OCELLI_OK, text, session);
}

/* A frame of 7x5 pixels (8x6 where chroma is shared), rows a little apart; the last row ends with its last pixel. */
static void *frame_of(ocelli_frame *frame, int32_t format, int32_t colors)
{
    static const size_t bytes[] = {3, 3, 4, 1, 2, 2, 1, 1};
    int shared = format >= OCELLI_YUYV;
    size_t i, rows, wide;
    unsigned char *plane;
    memset(frame, 0, sizeof *frame);
    frame->size = sizeof *frame;
    frame->width = shared ? 8 : 7;
    frame->height = shared ? 6 : 5;
    frame->format = format;
    frame->colors = colors;
    wide = frame->width * bytes[format];
    frame->plane_stride = wide + 5;
    frame->plane_length = frame->plane_stride * (frame->height - 1) + wide;
    rows = format == OCELLI_NV12 || format == OCELLI_NV21 ? frame->height / 2 : 0;
    if (rows > 0) {
        frame->chroma_stride = frame->width + 3;
        frame->chroma_length = frame->chroma_stride * (rows - 1) + frame->width;
    }
    plane = piece_of(frame->plane_length + frame->chroma_length);
    for (i = 0; i < frame->plane_length + frame->chroma_length; ++i) {
        plane[i] = (unsigned char)(i * 37 + 11);
    }
    frame->plane = plane;
    frame->chroma = rows > 0 ? plane + frame->plane_length : NULL;
    return plane;
}

/* What the tower makes of the image that was added last: numbers, all of them. */
static void rows_of(ocelli_session *session)
{
    const float *values = NULL;
    size_t rows = 0, width = 0, i;
    double sum = 0;
    gives(ocelli_embed(session, &values, &rows, &width), OCELLI_OK, "embed", session);
    must(rows > 0 && width > 0, "rows");
    for (i = 0; i < rows * width; ++i) {
        sum += (double)values[i] * (double)values[i];
    }
    must(sum > 0 && sum < 1e30, "numbers");
}

static void frames(ocelli_session *session)
{
    static const int32_t formats[] = {OCELLI_RGB, OCELLI_BGR, OCELLI_RGBA, OCELLI_GREY8,
                                      OCELLI_RGB565, OCELLI_YUYV, OCELLI_NV12, OCELLI_NV21};
    static const int32_t colors[] = {OCELLI_BT601_LIMITED, OCELLI_BT601_FULL, OCELLI_BT709_LIMITED, OCELLI_BT709_FULL};
    char answer[ROOM];
    ocelli_frame frame;
    size_t i;
    void *pixels;
    for (i = 0; i < 8; ++i) {
        gives(ocelli_reset(session, OCELLI_RESET_ALL), OCELLI_OK, "reset", session);
        pixels = frame_of(&frame, formats[i], formats[i] < OCELLI_YUYV ? 0 : colors[i % 4]);
        gives(ocelli_add_frame(session, &frame), OCELLI_OK, "add_frame", session);
        if (i % 2 == 0) {
            rows_of(session);
        }
        say(session, OCELLI_USER, "What?");
        push(session, 0, answer);
        /* The pixels are ours again. */
        memset(pixels, 0xee, frame.plane_length);
        free(pixels);
        say(session, OCELLI_USER, "And?");
        pull(session, 64, answer);
    }
    /* A row that is shorter than it must be, and one byte too few. */
    pixels = frame_of(&frame, OCELLI_RGB, 0);
    frame.plane_stride = 20;
    gives(ocelli_add_frame(session, &frame), OCELLI_BAD_IMAGE, "a stride", session);
    free(pixels);
    pixels = frame_of(&frame, OCELLI_NV21, OCELLI_BT601_FULL);
    frame.chroma_length -= 1;
    gives(ocelli_add_frame(session, &frame), OCELLI_BAD_IMAGE, "a length", session);
    free(pixels);
}

/* Everything that a session says no to, and that nothing has happened then. */
static void refusals(ocelli_session *session, const ocelli_model *model)
{
    char *text = piece_of(4000);
    ocelli_session *none;
    const float *values;
    size_t rows, width;
    gives(ocelli_reset(session, OCELLI_RESET_ALL), OCELLI_OK, "reset", session);
    gives(ocelli_reset(session, 9), OCELLI_BAD_ARGUMENT, "reset of 9", session);
    gives(ocelli_add_text(session, 9, "x", 1), OCELLI_BAD_ARGUMENT, "role 9", session);
    gives(ocelli_add_text(session, OCELLI_USER, NULL, 0), OCELLI_BAD_ARGUMENT, "no text", session);
    gives(ocelli_add_text(session, OCELLI_USER, "\xff\xfe", 2), OCELLI_BAD_TEXT, "not UTF-8", session);
    gives(ocelli_add_image(session, "not an image", 12), OCELLI_BAD_IMAGE, "not an image", session);
    gives(ocelli_answer(session, hear, NULL), OCELLI_BAD_ORDER, "nothing to answer", session);
    gives(ocelli_answer(session, NULL, NULL), OCELLI_BAD_ARGUMENT, "no callback", session);
    gives(ocelli_embed(session, &values, &rows, &width), OCELLI_BAD_ORDER, "nothing to embed", session);
    gives(ocelli_set(session, "context", OCELLI_Z, "9", 1), OCELLI_BAD_OPTION, "what is fixed", session);
    gives(ocelli_set(session, "colour", OCELLI_Z, "9", 1), OCELLI_BAD_OPTION, "no option", session);
    memset(text, 'a', 4000);
    gives(ocelli_add_text(session, OCELLI_USER, text, 4000), OCELLI_NO_CONTEXT, "a long text", session);
    gives(ocelli_session_new(model, small, OCELLI_Z, text, 100, &none), OCELLI_NO_MEMORY, "a small block", NULL);
    gives(ocelli_session_new(model, "limit=1000", 10, NULL, 0, &none), OCELLI_NO_MEMORY, "a low limit", NULL);
    free(text);
}

/* Options by key and value, and what they do. */
static void options(ocelli_session *session, const char *question)
{
    static const char *const pairs[][2] = {
        {"max_tokens", "3"}, {"temperature", "0"}, {"top_k", "0"}, {"top_p", "1"}, {"min_p", "0"}, {"seed", "0"},
        {"repetition_penalty", "1"}, {"repetition_last", "64"}, {"stop", ""}, {"deadline_ms", "60000"},
        {"orientation", "6"}, {"template", "none"}
    };
    char answer[ROOM], text[8];
    size_t i, length;
    clock_t begun;
    ocelli_stats stats;
    for (i = 0; i < sizeof pairs / sizeof pairs[0]; ++i) {
        gives(ocelli_set(session, pairs[i][0], strlen(pairs[i][0]), pairs[i][1], OCELLI_Z), OCELLI_OK, pairs[i][0], session);
    }
    gives(ocelli_reset(session, OCELLI_RESET_ALL), OCELLI_OK, "reset", session);
    say(session, OCELLI_USER, question);
    pull(session, 5, answer);
    figures(session, OCELLI_BY_LIMIT);
    gives(ocelli_set(session, "template", OCELLI_Z, "model", OCELLI_Z), OCELLI_OK, "template", session);

    /* Every role; an answer that ends before a letter of it, and one that nothing stops but the model or the context. */
    gives(ocelli_reset(session, OCELLI_RESET_ALL), OCELLI_OK, "reset", session);
    say(session, OCELLI_SYSTEM, "Be short.");
    say(session, OCELLI_USER, question);
    say(session, OCELLI_ASSISTANT, "That.");
    say(session, OCELLI_USER, question);
    push(session, 1, answer);
    /* Its last character, in which bytes after the first begin with the bits 10. */
    for (i = strlen(answer); i > 1 && ((unsigned char)answer[i - 1] & 0xc0) == 0x80; --i) {
    }
    must(i > 0 && strlen(answer + i - 1) < sizeof text, "an answer with a character to stop at");
    strcpy(text, answer + i - 1);
    gives(ocelli_set(session, "stop", OCELLI_Z, text, OCELLI_Z), OCELLI_OK, "stop", session);
    gives(ocelli_reset(session, OCELLI_RESET_ALL), OCELLI_OK, "reset", session);
    say(session, OCELLI_SYSTEM, "Be short.");
    say(session, OCELLI_USER, question);
    say(session, OCELLI_ASSISTANT, "That.");
    say(session, OCELLI_USER, question);
    pull(session, 64, answer);
    must(strstr(answer, text) == NULL, "stopped before it");
    figures(session, OCELLI_BY_STOP);
    gives(ocelli_set(session, "stop", OCELLI_Z, "", 0), OCELLI_OK, "stop", session);
    gives(ocelli_set(session, "max_tokens", OCELLI_Z, "100000", OCELLI_Z), OCELLI_OK, "max_tokens", session);

    /* A deadline that passes between two calls. */
    gives(ocelli_set(session, "deadline_ms", OCELLI_Z, "2", 1), OCELLI_OK, "deadline_ms", session);
    say(session, OCELLI_USER, question);
    do {
        begun = clock();
        while (clock() < begun + CLOCKS_PER_SEC / 100) {
        }
    } while (ocelli_next(session, text, sizeof text, &length) == OCELLI_OK);
    gives(ocelli_next(session, text, sizeof text, &length), OCELLI_LATE, "late", session);
    figures(session, OCELLI_UNFINISHED);
    gives(ocelli_set(session, "deadline_ms", OCELLI_Z, "0", 1), OCELLI_OK, "deadline_ms", session);
    /* It goes on from there until the model ends it, or the context. */
    pull(session, 16, answer);
    stats.size = sizeof stats;
    gives(ocelli_get_stats(session, &stats), OCELLI_OK, "get_stats", session);
    must(stats.ended == OCELLI_BY_MODEL || stats.ended == OCELLI_BY_CONTEXT, "the end");
}

/* Threads beside the one whose session it is. */
struct beside {
    const ocelli_model *model;
    ocelli_session *session;
    pthread_mutex_t lock;
    int begun, over;
};

/* Sets a flag if `now` is not 0; gives it. */
static int flag(struct beside *beside, int *which, int now)
{
    int is;
    pthread_mutex_lock(&beside->lock);
    *which |= now;
    is = *which;
    pthread_mutex_unlock(&beside->lock);
    return is;
}

static void *canceller(void *user)
{
    struct beside *beside = user;
    while (!flag(beside, &beside->over, 0)) {
        ocelli_stats stats;
        ocelli_status status;
        stats.size = sizeof stats;
        must(ocelli_cancel(beside->session) == OCELLI_OK, "cancel");
        (void)flag(beside, &beside->begun, 1);
        status = ocelli_get_stats(beside->session, &stats);
        must(status == OCELLI_OK || status == OCELLI_BUSY, "get_stats beside");
        must(strlen(ocelli_error(NULL)) < 1000, "the thread's own error");
    }
    return NULL;
}

static void *asker(void *user)
{
    struct beside *beside = user;
    ocelli_session *session;
    char piece[32];
    size_t length;
    ocelli_status status;
    must(ocelli_session_new(beside->model, small, OCELLI_Z, NULL, 0, &session) == OCELLI_OK, "session_new beside");
    must(ocelli_add_text(session, OCELLI_USER, "What?", 5) == OCELLI_OK, "add_text beside");
    while ((status = ocelli_next(session, piece, sizeof piece, &length)) == OCELLI_OK) {
        must(piece[length] == 0, "a piece beside");
    }
    must(status == OCELLI_END && ocelli_session_free(session) == OCELLI_OK, "session_free beside");
    return NULL;
}

/* Answers that are stopped from outside until they are complete, with another session at work: the same text. */
static void beside(const ocelli_model *model, ocelli_session *session, const void *picture, size_t length,
                   const char *question, const char *expected)
{
    pthread_t threads[2];
    struct beside with;
    struct heard heard;
    ocelli_status status;
    char rest[ROOM];
    int stops = 0;
    with.model = model;
    with.session = session;
    with.begun = with.over = 0;
    must(pthread_mutex_init(&with.lock, NULL) == 0, "a lock");
    memset(&heard, 0, sizeof heard);
    heard.session = session;
    gives(ocelli_reset(session, OCELLI_RESET_ALL), OCELLI_OK, "reset", session);
    gives(ocelli_add_image(session, picture, length), OCELLI_OK, "add_image", session);
    say(session, OCELLI_USER, question);
    must(pthread_create(&threads[0], NULL, canceller, &with) == 0, "a thread");
    must(pthread_create(&threads[1], NULL, asker, &with) == 0, "a thread");
    while (!flag(&with, &with.begun, 0)) {
    }
    do {
        status = ocelli_answer(session, hear, &heard);
        stops += status == OCELLI_CANCELLED;
        /* Often stopped is enough. */
        (void)flag(&with, &with.over, stops >= 20);
    } while (status == OCELLI_CANCELLED || status == OCELLI_BUSY);
    (void)flag(&with, &with.over, 1);
    must(pthread_join(threads[0], NULL) == 0 && pthread_join(threads[1], NULL) == 0, "threads that end");
    gives(status, OCELLI_OK, "the stopped answer", session);
    must(stops > 0 && strcmp(heard.text, expected) == 0, "the same answer, stopped or not");
    must(pthread_mutex_destroy(&with.lock) == 0, "a lock");
    fprintf(stderr, "stopped %d times\n", stops);
    /* One wish may be left. */
    say(session, OCELLI_USER, "And?");
    status = ocelli_answer(session, hear, &heard);
    if (status == OCELLI_CANCELLED) {
        pull(session, 8, rest);
    }
}

/* Pictures in other formats, one after the other, and one of them cut short. */
static void pictures(ocelli_session *session, char **paths, int count)
{
    char answer[ROOM];
    int i;
    for (i = 0; i < count; ++i) {
        size_t length;
        unsigned char *encoded = read_file(paths[i], &length);
        gives(ocelli_reset(session, OCELLI_RESET_ALL), OCELLI_OK, "reset", session);
        gives(ocelli_add_image(session, encoded, length / 4), OCELLI_BAD_IMAGE, paths[i], session);
        gives(ocelli_add_image(session, encoded, length), OCELLI_OK, paths[i], session);
        free(encoded);
        say(session, OCELLI_USER, "What?");
        push(session, 0, answer);
    }
}

static void source_of(ocelli_source *source)
{
    memset(source, 0, sizeof *source);
    source->size = sizeof *source;
}

int main(int count, char **arguments)
{
    static char first[ROOM], answer[ROOM];
    ocelli_source paths, memory, wrong;
    ocelli_model *model, *other, *none;
    ocelli_session *session, *whole;
    ocelli_need need;
    size_t bytes, text_length, vision_length, picture_length;
    unsigned char *text, *vision, *picture;
    void *model_block, *session_block;
    int i;

    if (count < 5) {
        return 2;
    }
    words();
    text = read_file(arguments[1], &text_length);
    vision = read_file(arguments[2], &vision_length);
    picture = read_file(arguments[3], &picture_length);

    /* Files: mapped, read, in memory; with and without a tower; and what is none. */
    source_of(&paths);
    paths.text_path = arguments[1];
    paths.text_path_length = strlen(arguments[1]);
    paths.vision_path = arguments[2];
    paths.vision_path_length = OCELLI_Z;
    gives(ocelli_model_need(&paths, &bytes), OCELLI_OK, "model_need", NULL);
    model_block = piece_of(bytes);
    gives(ocelli_model_open(&paths, model_block, bytes - 1, &model), OCELLI_NO_MEMORY, "a byte less", NULL);
    gives(ocelli_model_open(&paths, model_block, bytes, &model), OCELLI_OK, "model_open", NULL);
    source_of(&memory);
    memory.text = text;
    memory.text_length = text_length;
    memory.vision = vision;
    memory.vision_length = vision_length;
    gives(ocelli_model_open(&memory, NULL, 0, &other), OCELLI_OK, "model_open of memory", NULL);
    wrong = paths;
    wrong.text_path = "there is no such file";
    wrong.text_path_length = 21;
    gives(ocelli_model_open(&wrong, NULL, 0, &none), OCELLI_BAD_FILE, "no file", NULL);
    wrong = memory;
    wrong.text = vision;
    wrong.text_length = vision_length;
    gives(ocelli_model_open(&wrong, NULL, 0, &none), OCELLI_BAD_MODEL, "a tower as a model", NULL);
    wrong = memory;
    wrong.text_length -= 1;
    gives(ocelli_model_need(&wrong, &bytes), OCELLI_BAD_FILE, "a file cut short", NULL);
    wrong = paths;
    wrong.reserved = 1;
    gives(ocelli_model_need(&wrong, &bytes), OCELLI_BAD_ARGUMENT, "reserved", NULL);
    wrong = paths;
    wrong.vision_path = NULL;
    wrong.flags = OCELLI_NO_TOWER | OCELLI_READ;
    gives(ocelli_model_open(&wrong, NULL, 0, &none), OCELLI_OK, "no tower", NULL);
    gives(ocelli_session_new(none, small, OCELLI_Z, NULL, 0, &session), OCELLI_OK, "session_new", NULL);
    gives(ocelli_add_image(session, picture, picture_length), OCELLI_NO_VISION, "no vision", session);
    gives(ocelli_session_free(session), OCELLI_OK, "session_free", NULL);
    gives(ocelli_model_free(none), OCELLI_OK, "model_free", NULL);

    /* A session in a block as long as is said, and one in malloc with every option. */
    need.size = sizeof need;
    gives(ocelli_plan(model, small, OCELLI_Z, &need), OCELLI_OK, "plan", NULL);
    must(need.session == need.arena + need.kv + need.images + need.text + need.tables, "the sum");
    must(need.decode > 0 && need.weights == text_length + vision_length, "what is beside the block");
    session_block = piece_of((size_t)need.session);
    gives(ocelli_session_new(model, small, sizeof small - 1, session_block, (size_t)need.session, &session), OCELLI_OK,
          "session_new", NULL);
    gives(ocelli_session_new(other, every, OCELLI_Z, NULL, 0, &whole), OCELLI_OK, "every option", NULL);
    gives(ocelli_model_free(model), OCELLI_BUSY, "a model in use", NULL);

    /* The answer, pulled and pushed, in small pieces and large, stopped after each, in a second turn. */
    for (i = 0; i < 6; ++i) {
        gives(ocelli_reset(session, OCELLI_RESET_ALL), OCELLI_OK, "reset", session);
        gives(ocelli_add_image(session, picture, picture_length), OCELLI_OK, "add_image", session);
        if (i == 2) {
            rows_of(session);
        }
        say(session, OCELLI_USER, "to be taken back");
        if (i == 3) {
            gives(ocelli_reset(session, OCELLI_RESET_TURN), OCELLI_OK, "reset", session);
            gives(ocelli_add_image(session, picture, picture_length), OCELLI_OK, "add_image", session);
        } else {
            gives(ocelli_reset(session, OCELLI_RESET_ALL), OCELLI_OK, "reset", session);
            gives(ocelli_add_image(session, picture, picture_length), OCELLI_OK, "add_image", session);
        }
        say(session, OCELLI_USER, arguments[4]);
        if (i == 4) {
            gives(ocelli_cancel(session), OCELLI_OK, "cancel", session);
            gives(ocelli_answer(session, hear, NULL), OCELLI_CANCELLED, "cancelled before", session);
        }
        if (i % 2 == 0) {
            pull(session, i == 0 ? ROOM : 5, i == 0 ? first : answer);
        } else {
            push(session, i == 5, answer);
        }
        must(i == 0 || strcmp(first, answer) == 0, "the same answer every way");
        say(session, OCELLI_USER, "And then?");
        push(session, 0, answer);
        pull(session, 8, answer);
    }
    beside(model, session, picture, picture_length, arguments[4], first);
    frames(session);
    refusals(session, model);
    pictures(session, arguments + 5, count - 5);
    gives(ocelli_add_image(whole, picture, picture_length), OCELLI_OK, "add_image", whole);
    rows_of(whole);
    say(whole, OCELLI_USER, arguments[4]);
    push(whole, 0, answer);
    options(whole, arguments[4]);

    /* Freed, in memory that is still ours, and that is used for something else. */
    gives(ocelli_session_free(session), OCELLI_OK, "session_free", NULL);
    gives(ocelli_session_free(session), OCELLI_BAD_HANDLE, "freed", NULL);
    gives(ocelli_model_free(model), OCELLI_OK, "model_free", NULL);
    gives(ocelli_plan(model, small, OCELLI_Z, &need), OCELLI_BAD_HANDLE, "freed", NULL);
    memset(session_block, 0xee, (size_t)need.session);
    free(session_block);
    free(model_block);
    gives(ocelli_session_free(whole), OCELLI_OK, "session_free", NULL);
    gives(ocelli_model_free(other), OCELLI_OK, "model_free", NULL);
    free(picture);
    free(vision);
    free(text);

    /* All but a fault. */
    for (i = OCELLI_UNSUPPORTED; i <= OCELLI_LATE; ++i) {
        if (!met[i - LOWEST] && i != OCELLI_FAULT) {
            fprintf(stderr, "never met: %d, %s\n", i, ocelli_status_text(i));
            return 1;
        }
    }
    puts(first);
    return 0;
}
