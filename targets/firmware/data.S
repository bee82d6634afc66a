/* What is in the read-only section beside the program: the assembler takes the files in as they are. */
    .section .model, "a"
    .macro file name, path
    .global \name, \name\()_end
    .balign 64
\name:
    .incbin "\path"
\name\()_end:
    .endm
    file text_model, "pocket.gguf"
    file vision_model, "mmproj-pocket.gguf"
    file frame_pixels, "frame.rgb565"
