# SPDX-License-Identifier: MIT
#
# How many lines of the test driver call the library, outside of the bodies of
# its two ops tables. Reads the files twice: first for the names in the tables,
# then for the calls.

FNR == 1 && FILENAME in read_once { second = 1 }
FNR == 1 { read_once[FILENAME] = 1; table = body = comment = 0 }

!second && /struct drm_svm_(context|vram)_ops[^;(]*=[^;]*\{/ { table = 1 }
!second && table && match($0, /=[ \t]*&?[a-z_0-9]+/) {
	name = substr($0, RSTART + 1, RLENGTH - 1)
	gsub(/[ \t&]/, "", name)
	ops[name] = 1
}
!second && /^\};/ { table = 0 }
!second { next }

/^[a-zA-Z_].*\(/ && !body {
	name = $0
	sub(/\(.*/, "", name)
	sub(/.*[ \t*]/, "", name)
}
/^\{[ \t]*$/ { body = 1 }
/^\}/ { body = 0 }

{
	text = $0
	if (comment) {
		if (!sub(/.*\*\//, "", text)) next
		comment = 0
	}
	gsub(/\/\*.*\*\//, "", text)
	sub(/\/\/.*/, "", text)
	if (sub(/\/\*.*/, "", text)) comment = 1
	# Its own functions, and those that hide how kernels differ
	gsub(/drm_svm_(test|compat)_[a-z_0-9]*\(/, "", text)
}

body && !(name in ops) && text ~ /drm_svm_[a-z_0-9]*\(/ {
	calls++
	list = list FILENAME ":" FNR ":" $0 "\n"
}

END {
	if (calls > limit) {
		printf "%d lines call drm_svm_*, at most %d:\n%s", calls, limit, list
		exit 1
	}
	print "note: " calls + 0 " lines call drm_svm_*, at most " limit
}
