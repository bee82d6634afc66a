/* Texts and figures over the serial line, without a C library. Lines of figures begin with a bracket, answers do not. */
#ifndef REPORT_H
#define REPORT_H

#include <ocelli.h>

void put_text(const char *text);
void put_figure(const char *name, uint64_t value, const char *unit);
/* Fills the stack below the caller, so that what was used of it can be seen afterwards. */
void paint_stack(void);
/* Times, and the most memory that was used. */
void report(const ocelli_model *model, ocelli_session *session);

#endif
