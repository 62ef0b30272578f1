// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include "drm_svm_core.h"

#define CREATE_TRACE_POINTS
#include "drm_svm_trace.h"
