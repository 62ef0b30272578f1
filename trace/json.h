/* SPDX-License-Identifier: MIT */
#ifndef TRACE_JSON_H
#define TRACE_JSON_H

#include <stdio.h>

#include "model.h"

/* The JSON format of Chrome's and Perfetto's trace viewers; @most: of its events */
void json_write(FILE *out, const struct model *model, size_t most);

#endif
