/* Asks a model about a picture and prints the answer as it comes.
 *
 *     gauge MODEL.gguf MMPROJ.gguf PICTURE QUESTION
 */
#include <ocelli.h>
#include <stdio.h>

static unsigned char picture[8 << 20];

static int failed(ocelli_session *session)
{
    fprintf(stderr, "gauge: %s\n", ocelli_error(session));
    return 1;
}

int main(int count, char **arguments)
{
    ocelli_source files = {0};
    ocelli_model *model;
    ocelli_session *session;
    ocelli_status status;
    char text[64];
    size_t length;
    FILE *file;

    if (count != 5 || (file = fopen(arguments[3], "rb")) == NULL) {
        fprintf(stderr, "usage: gauge MODEL.gguf MMPROJ.gguf PICTURE QUESTION\n");
        return 2;
    }
    length = fread(picture, 1, sizeof picture, file);
    fclose(file);

    files.size = sizeof files;
    files.text_path = arguments[1];
    files.vision_path = arguments[2];
    files.text_path_length = files.vision_path_length = OCELLI_Z;
    if (ocelli_model_open(&files, NULL, 0, &model) != OCELLI_OK) return failed(NULL);
    if (ocelli_session_new(model, "context=1024", OCELLI_Z, NULL, 0, &session) != OCELLI_OK) return failed(NULL);

    if (ocelli_add_image(session, picture, length) != OCELLI_OK) return failed(session);
    if (ocelli_add_text(session, OCELLI_USER, arguments[4], OCELLI_Z) != OCELLI_OK) return failed(session);
    while ((status = ocelli_next(session, text, sizeof text, &length)) == OCELLI_OK) {
        fwrite(text, 1, length, stdout);
        fflush(stdout);
    }
    putchar('\n');
    if (status != OCELLI_END) return failed(session);

    ocelli_session_free(session);
    ocelli_model_free(model);
    return 0;
}
