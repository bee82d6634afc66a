/* What is not there without an operating system says so, and nothing that a caller does wrong stops the machine: every
 * line of the output is a mistake of this program. */
#include <ocelli.h>

#include "board.h"
#include "frame.h"
#include "report.h"

static unsigned char block[BLOCK] __attribute__((aligned(64)));
static unsigned char small[4096];
static ocelli_session *inner;
static int nested;
static int wrong;

static void expect(const char *what, ocelli_status status, ocelli_status expected, const char *said)
{
    if (status == expected) return;
    wrong = 1;
    put_text("[");
    put_text(what);
    put_text("] ");
    put_text(ocelli_status_text(status));
    put_text(" instead of: ");
    put_text(ocelli_status_text(expected));
    put_text("; ");
    put_text(said);
    put_text("\n");
}

/* What an interrupt or another task would do in the middle of a call. */
static int meanwhile(void *user, const char *text, size_t length)
{
    ocelli_stats stats = {0};

    (void)user, (void)text, (void)length;
    stats.size = sizeof stats;
    if (ocelli_get_stats(inner, &stats) == OCELLI_BUSY) nested++;
    return ocelli_cancel(inner) != OCELLI_OK;
}

static void platforms(const ocelli_source *files)
{
    ocelli_model *model;
    size_t bytes;
    ocelli_platform platform = {sizeof platform, NULL, 5, NULL, NULL};

    expect("NULL with a length", ocelli_use_platform(&platform), OCELLI_BAD_ARGUMENT, ocelli_error(NULL));
    expect("no platform", ocelli_use_platform(NULL), OCELLI_BAD_ARGUMENT, ocelli_error(NULL));
    platform.memory = small, platform.bytes = sizeof small;
    expect("a small platform", ocelli_use_platform(&platform), OCELLI_OK, ocelli_error(NULL));
    expect("no room for a model", ocelli_model_open(files, NULL, 0, &model), OCELLI_NO_MEMORY, ocelli_error(NULL));
    expect("no room for its need", ocelli_model_need(files, &bytes), OCELLI_NO_MEMORY, ocelli_error(NULL));
    platform.memory = block, platform.bytes = sizeof block;
    expect("a platform", ocelli_use_platform(&platform), OCELLI_OK, ocelli_error(NULL));
}

static ocelli_model *models(ocelli_source *files)
{
    ocelli_source paths = {0};
    ocelli_model *model = NULL;

    paths.size = sizeof paths;
    paths.text_path = "model.gguf", paths.text_path_length = OCELLI_Z;
    expect("a path", ocelli_model_open(&paths, NULL, 0, &model), OCELLI_UNSUPPORTED, ocelli_error(NULL));
    expect("a small block", ocelli_model_open(files, small, sizeof small, &model), OCELLI_NO_MEMORY, ocelli_error(NULL));
    files->text_length -= 1000;
    expect("half a file", ocelli_model_open(files, NULL, 0, &model), OCELLI_BAD_FILE, ocelli_error(NULL));
    files->text_length += 1000;
    expect("a model", ocelli_model_open(files, NULL, 0, &model), OCELLI_OK, ocelli_error(NULL));
    return model;
}

static void deadlines(ocelli_model *model)
{
    ocelli_session *session = NULL;
    ocelli_platform platform = {sizeof platform, block, sizeof block, NULL, NULL};

    expect("without a clock", ocelli_session_new(model, "context=64 batch=8 image=none deadline_ms=5", OCELLI_Z, NULL, 0, &session),
           OCELLI_BAD_OPTION, ocelli_error(NULL));
    expect("memory in use", ocelli_use_platform(&platform), OCELLI_BUSY, ocelli_error(NULL));
}

static void sessions(ocelli_model *model, const ocelli_frame *frame)
{
    ocelli_session *session = NULL;
    char text[64];
    size_t length;
    ocelli_status status;

    expect("a small block", ocelli_session_new(model, "context=256", OCELLI_Z, small, sizeof small, &session),
           OCELLI_NO_MEMORY, ocelli_error(NULL));
    expect("a limit", ocelli_session_new(model, "limit=1000", OCELLI_Z, NULL, 0, &session), OCELLI_NO_MEMORY,
           ocelli_error(NULL));
    status = ocelli_session_new(model, "context=256 batch=32 image=" FRAME_SIZE " max_tokens=8", OCELLI_Z, NULL, 0, &session);
    expect("a session", status, OCELLI_OK, ocelli_error(NULL));
    if (status != OCELLI_OK) return;
    expect("a PNG", ocelli_add_image(session, frame_pixels, 100), OCELLI_UNSUPPORTED, ocelli_error(session));
    expect("nothing asked", ocelli_next(session, text, sizeof text, &length), OCELLI_BAD_ORDER, ocelli_error(session));
    expect("a frame", ocelli_add_frame(session, frame), OCELLI_OK, ocelli_error(session));
    expect("a question", ocelli_add_text(session, OCELLI_USER, QUESTION, OCELLI_Z), OCELLI_OK, ocelli_error(session));

    expect("a deadline", ocelli_set(session, "deadline_ms", OCELLI_Z, "1", OCELLI_Z), OCELLI_OK, ocelli_error(session));
    expect("too late", ocelli_next(session, text, sizeof text, &length), OCELLI_LATE, ocelli_error(session));
    expect("no deadline", ocelli_set(session, "deadline_ms", OCELLI_Z, "0", OCELLI_Z), OCELLI_OK, ocelli_error(session));
    expect("a stop", ocelli_cancel(session), OCELLI_OK, ocelli_error(session));
    expect("stopped", ocelli_next(session, text, sizeof text, &length), OCELLI_CANCELLED, ocelli_error(session));
    inner = session;
    do status = ocelli_answer(session, meanwhile, NULL);
    while (status == OCELLI_CANCELLED);
    expect("goes on after every stop", status, OCELLI_OK, ocelli_error(session));
    if (nested == 0) expect("a call in a call", OCELLI_OK, OCELLI_BUSY, "");
    expect("a model in use", ocelli_model_free(model), OCELLI_BUSY, ocelli_error(NULL));
    expect("freeing", ocelli_session_free(session), OCELLI_OK, ocelli_error(NULL));
    expect("freed", ocelli_session_free(session), OCELLI_BAD_HANDLE, ocelli_error(NULL));
}

int main(void)
{
    ocelli_source files = {0};
    ocelli_frame frame = {0};
    ocelli_platform platform = {sizeof platform, block, sizeof block, board_clock_ms, NULL};
    ocelli_model *model;

    frame.size = sizeof frame;
    frame.width = FRAME_WIDTH, frame.height = FRAME_HEIGHT, frame.format = OCELLI_RGB565;
    frame.plane = frame_pixels, frame.plane_length = (size_t)(frame_pixels_end - frame_pixels);
    frame.plane_stride = FRAME_WIDTH * 2;
    files.size = sizeof files;
    files.text = text_model, files.text_length = (size_t)(text_model_end - text_model);
    files.vision = vision_model, files.vision_length = (size_t)(vision_model_end - vision_model);

    platforms(&files);
    model = models(&files);
    if (model == NULL) return 1;
    deadlines(model);
    expect("freeing", ocelli_model_free(model), OCELLI_OK, ocelli_error(NULL));
    expect("a clock", ocelli_use_platform(&platform), OCELLI_OK, ocelli_error(NULL));
    expect("a model again", ocelli_model_open(&files, NULL, 0, &model), OCELLI_OK, ocelli_error(NULL));
    sessions(model, &frame);
    expect("freeing", ocelli_model_free(model), OCELLI_OK, ocelli_error(NULL));
    expect("nothing in it", ocelli_use_platform(&platform), OCELLI_OK, ocelli_error(NULL));
    put_text(wrong ? "wrong\n" : "as it should be\n");
    return wrong;
}
