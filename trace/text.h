/* SPDX-License-Identifier: MIT */
#ifndef TRACE_TEXT_H
#define TRACE_TEXT_H

#include <stdio.h>

#include "model.h"

/* The summary, for a terminal */
void text_write(FILE *out, const struct model *model);

#endif
