/* What a board has for the programs here: a serial line, a clock, a way to end; and what was built into its flash. */
#ifndef BOARD_H
#define BOARD_H

#include <stddef.h>
#include <stdint.h>

/* One byte out on the serial line, when there is room for it. */
void board_put(char byte);
/* Milliseconds since the start. */
uint64_t board_clock_ms(void *unused);
/* Ends the emulation with this code; a real board stands still. */
void board_end(int code) __attribute__((noreturn));
/* Called by the start code once memory, stack and floating-point unit are there. */
int main(void);

/* The model's two files and the camera's frame, in read-only memory: data.S. */
extern const unsigned char text_model[], text_model_end[];
extern const unsigned char vision_model[], vision_model_end[];
extern const unsigned char frame_pixels[], frame_pixels_end[];

/* The stack, from the linker script. */
extern unsigned char stack_low[], stack_top[];

#endif
