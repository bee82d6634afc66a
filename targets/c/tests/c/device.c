/* What a library for one device does: the answer to a question about a frame, and an error for all that was left out.
 *
 *     device MODEL.gguf MMPROJ.gguf FRAME.rgb565 QUESTION FORMATS.gguf QWEN2.gguf
 *
 * frame.h, which targets/firmware/frame.py writes, has the frame's width and height.
 */
#include "frame.h"
#include <ocelli.h>
#include <stdio.h>
#include <string.h>

static unsigned char pixels[FRAME_WIDTH * FRAME_HEIGHT * 2];
static int wrong;

/* Says what came, and counts what should not have; the sentence must have these words. */
static void expect(const char *what, ocelli_status found, ocelli_status expected, const char *words, const char *sentence)
{
    int right = found == expected && (found == OCELLI_OK || strstr(sentence, words) != NULL);

    fprintf(stderr, "%s: %d %s%s\n", what, (int)found, found == OCELLI_OK ? "" : sentence, right ? "" : "   <- WRONG");
    wrong += !right;
}

static ocelli_status open_model(const char *text, const char *vision, ocelli_model **model)
{
    ocelli_source files = {0};

    files.size = sizeof files;
    files.text_path = text, files.vision_path = vision;
    files.text_path_length = files.vision_path_length = OCELLI_Z;
    files.flags = vision == NULL ? OCELLI_NO_TOWER : 0;
    return ocelli_model_open(&files, NULL, 0, model);
}

static void refusals(const ocelli_model *model, ocelli_session *session, char **arguments)
{
    static const char *const options[][2] = {
        {"isa=scalar", "unknown instruction set"},
        {"kv=q8_0", "built without kv-q8"},
        {"tower_int8=1", "built without tower-int8"},
        {"orientation=none", "built without images"}
    };
    ocelli_session *other;
    ocelli_model *absent;
    size_t i;

    for (i = 0; i < sizeof options / sizeof options[0]; i++)
        expect(options[i][0], ocelli_session_new(model, options[i][0], OCELLI_Z, NULL, 0, &other), OCELLI_BAD_OPTION,
               options[i][1], ocelli_error(NULL));
    expect("a PNG", ocelli_add_image(session, pixels, 100), OCELLI_UNSUPPORTED, "encoded images", ocelli_error(session));
    expect("other weights", open_model(arguments[5], NULL, &absent), OCELLI_BAD_MODEL, "here are F32 Q4_0",
           ocelli_error(NULL));
    expect("another tokenizer", open_model(arguments[6], NULL, &absent), OCELLI_BAD_MODEL, "qwen2", ocelli_error(NULL));
}

static ocelli_status ask(ocelli_session *session, const char *question)
{
    ocelli_frame frame = {0};
    ocelli_status status;
    char text[64];
    size_t length;

    frame.size = sizeof frame;
    frame.width = FRAME_WIDTH, frame.height = FRAME_HEIGHT, frame.format = OCELLI_RGB565;
    frame.plane = pixels, frame.plane_length = sizeof pixels, frame.plane_stride = FRAME_WIDTH * 2;
    if ((status = ocelli_add_frame(session, &frame)) != OCELLI_OK) return status;
    if ((status = ocelli_add_text(session, OCELLI_USER, question, OCELLI_Z)) != OCELLI_OK) return status;
    while ((status = ocelli_next(session, text, sizeof text, &length)) == OCELLI_OK) fwrite(text, 1, length, stdout);
    putchar('\n');
    return status == OCELLI_END ? OCELLI_OK : status;
}

int main(int count, char **arguments)
{
    ocelli_model *model;
    ocelli_session *session;
    FILE *file;

    if (count != 7 || (file = fopen(arguments[3], "rb")) == NULL) return 2;
    if (fread(pixels, 1, sizeof pixels, file) != sizeof pixels) return 2;
    fclose(file);
    if (open_model(arguments[1], arguments[2], &model) != OCELLI_OK
        || ocelli_session_new(model, "context=1024", OCELLI_Z, NULL, 0, &session) != OCELLI_OK) {
        fprintf(stderr, "device: %s\n", ocelli_error(NULL));
        return 1;
    }
    refusals(model, session, arguments);
    expect("an answer", ask(session, arguments[4]), OCELLI_OK, "", ocelli_error(session));
    expect("freeing", ocelli_session_free(session), OCELLI_OK, "", ocelli_error(NULL));
    expect("freeing the model", ocelli_model_free(model), OCELLI_OK, "", ocelli_error(NULL));
    return wrong != 0;
}
