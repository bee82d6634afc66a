/* A question about a camera's frame, answered without an operating system: everything between the two lines is what a
 * firmware needs of Ocelli. The rest prints figures for the check. */
#include <ocelli.h>

#include "board.h"
#include "frame.h" /* FRAME_WIDTH, FRAME_HEIGHT, FRAME_SIZE: written by frame.py */
#include "report.h"

#ifndef BLOCK
#define BLOCK (3u << 20)
#endif

static unsigned char block[BLOCK] __attribute__((aligned(64)));

/* ---------------------------------------------------------------------------------------------------------------------- */
static ocelli_model *model;
static ocelli_session *session;

static ocelli_status open_model(void)
{
    const char *options = "context=256 batch=32 image=" FRAME_SIZE;
    ocelli_platform platform = {sizeof platform, block, sizeof block, board_clock_ms, NULL};
    ocelli_source files = {0};
    ocelli_status status = ocelli_use_platform(&platform);

    files.size = sizeof files;
    files.text = text_model, files.text_length = (size_t)(text_model_end - text_model);
    files.vision = vision_model, files.vision_length = (size_t)(vision_model_end - vision_model);
    if (status == OCELLI_OK) status = ocelli_model_open(&files, NULL, 0, &model);
    if (status == OCELLI_OK) status = ocelli_session_new(model, options, OCELLI_Z, NULL, 0, &session);
    return status;
}

static ocelli_status ask(const ocelli_frame *frame, const char *question)
{
    char text[64];
    size_t length;
    ocelli_status status = ocelli_add_frame(session, frame);

    if (status == OCELLI_OK) status = ocelli_add_text(session, OCELLI_USER, question, OCELLI_Z);
    while (status == OCELLI_OK && (status = ocelli_next(session, text, sizeof text, &length)) == OCELLI_OK)
        put_text(text);
    return status;
}
/* ---------------------------------------------------------------------------------------------------------------------- */

int main(void)
{
    ocelli_frame frame = {0};
    ocelli_status status;

    paint_stack();
    frame.size = sizeof frame;
    frame.width = FRAME_WIDTH, frame.height = FRAME_HEIGHT, frame.format = OCELLI_RGB565;
    frame.plane = frame_pixels, frame.plane_length = (size_t)(frame_pixels_end - frame_pixels);
    frame.plane_stride = FRAME_WIDTH * 2;

    status = open_model();
    put_figure("open", board_clock_ms(NULL), "ms");
    if (status == OCELLI_OK) status = ocelli_set(session, "max_tokens", OCELLI_Z, "64", OCELLI_Z);
    if (status == OCELLI_OK) status = ask(&frame, QUESTION);
    put_text("\n");
    if (status != OCELLI_END) {
        put_text("[failed] ");
        put_text(ocelli_error(session));
        put_text("\n");
        return 1;
    }
    report(model, session);
    return 0;
}
