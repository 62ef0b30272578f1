/* SPDX-License-Identifier: MIT */
#ifndef TRACE_FINDINGS_H
#define TRACE_FINDINGS_H

struct model;

/* What a person should know above all: why the program may be slow */
void findings_make(struct model *model);

#endif
