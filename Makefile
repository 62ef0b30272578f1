# SPDX-License-Identifier: MIT
#
# See "make help". The work is done by the scripts in tools/.

KERNEL ?= stock
export KERNEL_VERSION DEBIAN_MIRROR DRM_SVM_CACHE

.PHONY: help demo test test-kernels soak list-tests check mutants coverage bench bench-compare
.PHONY: modules modules_install user stage shell clean distclean

help:
	@echo 'What to make (as root; Debian 12 or 13; nothing has to be set up first):'
	@echo '  demo             build everything and show it at work in a virtual machine'
	@echo '  test             all checks, then all tests in a virtual machine, and some of them'
	@echo '                   on a debug kernel, which is built first'
	@echo "  test T='GLOB..'  only the tests that match, e.g. T='svm_basic@*'; no checks"
	@echo '  test-kernels     all modules, and a choice of tests, on each kernel of tools/kernels'
	@echo '  soak S=3600      random work against a model, S seconds; SVM_SOAK_SEED=... again'
	@echo '  list-tests       names of all tests'
	@echo '  check            style, documentation, sparse, headers, sizes'
	@echo '  coverage         which lines of drm_svm/ the tests run; an hour and a half'
	@echo "  mutants M='GLOB' plant bugs, see that the tests notice; without M all: three hours or more"
	@echo "  bench B='GLOB..' instructions of drm_svm and of drm_gpusvm, in the same virtual GPU;"
	@echo '                   without B all cases: 15 minutes'
	@echo '  bench-compare A=REV B=REV   the same of drm_svm in two commits; cases by C='
	@echo '  modules          the kernel modules, for the kernel of the virtual machine'
	@echo '  user             programs and tests'
	@echo '  shell            a shell in the virtual machine'
	@echo '  clean            remove what was built for this checkout'
	@echo '  distclean        remove the whole cache'
	@echo 'For the kernel that this machine runs (a series of tools/kernels; both as the same user):'
	@echo '  modules KDIR=/lib/modules/$$(uname -r)/build'
	@echo '  modules_install  [KDIR=...] [INSTALL_MOD_PATH=...]'
	@echo 'Variables:'
	@echo '  KERNEL_VERSION=  kernel of the virtual machine, from trixie-backports: a series or a'
	@echo '                   version; default: the newest that tools/kernels knows to be good'
	@echo '  KERNEL=          stock (default), debug (KASAN, lockdep and so on), both (for test; its'
	@echo '                   default without T=), or the name of another kernel built from source'
	@echo '  DEMO_SVG=        the picture that demo draws; default: in the cache'
	@echo "  BENCH_JSON=, BENCH_SVG=   where the figures of bench go, and their picture"
	@echo '  DRM_SVM_CACHE=   where everything is built (~/.cache/drm_svm)'
	@echo '  DEBIAN_MIRROR=   default http://deb.debian.org/debian'
	@echo 'A command of your own in the virtual machine: tools/vm --help'

demo:
	@tools/demo

test:
	@tools/test $(if $(T),'$(T)')

test-kernels:
	@tools/test-kernels

S ?= 3600
soak:
	@SVM_SOAK_SECONDS='$(S)' tools/test '$(or $(T),svm_soak@*)'

list-tests:
	@tools/test --list

check:
	@tools/check

coverage:
	@tools/coverage $(if $(T),'$(T)')

mutants:
	@tools/mutants $(M)

# What is a glob here names cases and no files
bench:
	@set -f; tools/bench $(B)

bench-compare:
	@set -f; tools/bench-compare '$(A)' '$(B)' $(C)

# A kernel named by KDIR is built for right here; otherwise for the guest's.
ifdef KDIR
modules:
	@mkdir -p '$(MO)'
	@$(MAKE) -C '$(KDIR)' --no-print-directory M='$(CURDIR)' MO='$(MO)' modules
else
modules:
	@tools/build modules $(KERNEL)
endif

modules_install: KDIR ?= /lib/modules/$(shell uname -r)/build
modules_install:
	@$(MAKE) -C '$(KDIR)' --no-print-directory M='$(CURDIR)' MO='$(MO)' modules_install

MO ?= $(shell tools/build --dir)/host

user:
	@tools/build user

stage:
	@tools/build stage $(KERNEL)

shell: stage
	@tools/vm --kernel $(KERNEL) --tty -- bash -l

# Of each kernel that was asked for
clean:
	@dir=$$(KERNEL_VERSION= tools/build --dir) && rm -rf "$$dir" "$$dir"-*

distclean: clean
	@rm -rf "$$(tools/build --cache)"
