# resonate: durable promises in PostgreSQL.  `make help` lists the targets.
#
#: all           build the extension (PG_CONFIG=... selects the server, DEBUG=1 turns assertions on)
#: install       install it into that server
#: installcheck  run the regression and isolation tests against a running server
#: prove-check   run the Perl tests in test/t against the installed extension
#: check         do everything: packages, builds, lint and all tests, in private clusters (SUITES="unit regress" for a part)
#: unit          run the unit tests of the server-free files under sanitizers
#: lint          check format, headers, symbols, layering, whitespace, install script and scripts
#: format        update typedefs.list and indent the C files in place
#: hooks         have each commit checked for format, includes and whitespace first
#: compile_commands.json  tell clangd how each file is compiled (PG_CONFIG=...)
#: format-check  show what format would change, and fail if that is anything
#: demo          run the demonstration in a private cluster (DIR=... selects the directory whose files are hashed)
#: play          start a private server with assertions, to connect to (RSN_LOG=debug1 prints its log)
#: roots         try demo and check in fresh roots of Debian (ROOTS="trixie:bare:demo ..." for a part), as root
#: asserts       check it on servers with assertions, built from Debian's sources (VERSIONS="15 18" SUITES="regress tap" ASSERTS=off for ordinary ones)
#: bench         measure it against plain SQL in a private cluster (ONLY=paths,growth for a part, QUICK=1 to see that it runs)
#: dst           simulate it, decided by one seed (SEED=n TICKS=n SCENARIO=default|fault|lazy|crash SEEDS=n JOBS=n)
#: linearizability  check that concurrent histories are linearizable (SEED=n HISTORIES=n OPS=n SESSIONS=n)
#: defects       show that these two find defects that are put in on purpose (ONLY=name for one)
#: mutants       change the background line by line, and count what the tests notice (RSN_MUTANTS=n RSN_SEED=n)
#: soak          do all that is random with ever new seeds (HOURS=n)
#: docs          write docs/reference.md from the comments in the database
#: clean         remove everything that was built
#: dist          make an archive of the committed tree
#: help          print this list

EXTENSION  = resonate
EXTVERSION = $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" $(EXTENSION).control)

# These targets must work where there is no server to ask for PGXS yet, and
# check has another meaning there, so PGXS is left out when one is asked for.
DEV_GOALS   = check unit lint format format-check hooks compile_commands.json demo play roots asserts bench dst \
	linearizability defects mutants soak docs dist help
OTHER_GOALS = $(filter-out $(DEV_GOALS),$(MAKECMDGOALS))

ifneq (,$(filter $(DEV_GOALS),$(MAKECMDGOALS)))

.PHONY: $(DEV_GOALS) $(OTHER_GOALS)
.NOTPARALLEL:

check:
	@scripts/check.sh $(SUITES)

unit:
	@scripts/setup.sh unit
	@scripts/unit.sh

lint:
	@scripts/check.sh lint

format:
	@scripts/setup.sh lint
	@scripts/format.sh

format-check:
	@scripts/setup.sh lint
	@scripts/format.sh --check

hooks:
	git config core.hooksPath scripts/hooks

compile_commands.json:
	@scripts/compile-commands.py

demo:
	@scripts/setup.sh demo
	@demo/run.sh "$$DIR"

play:
	@scripts/setup.sh demo
	@scripts/play.sh

roots:
	@scripts/roots.sh $(ROOTS)

asserts:
	@VERSIONS="$(VERSIONS)" ASSERTS="$(ASSERTS)" scripts/asserts.sh $(SUITES)

bench:
	@scripts/setup.sh bench
	@bench/run.sh $(if $(QUICK),--quick) $(if $(ONLY),--only "$$ONLY")

# What the command line sets is in the environment of these scripts.
dst:
	@scripts/setup.sh simulation
	@test/dst/run.sh

linearizability:
	@scripts/setup.sh linearizability
	@RSN_SEED="$(SEED)" RSN_HISTORIES="$(HISTORIES)" RSN_OPS="$(OPS)" \
		RSN_SESSIONS="$(SESSIONS)" test/linearizability/run.sh

defects:
	@scripts/setup.sh defects
	@test/defects/run.sh $(ONLY)

mutants:
	@scripts/setup.sh tap
	@test/mutation/run.sh

soak:
	@scripts/setup.sh soak
	@scripts/soak.sh "$${HOURS:-1}"

docs:
	@scripts/docs.sh

dist:
	git archive --format=zip --prefix=$(EXTENSION)-$(EXTVERSION)/ \
		--output=$(EXTENSION)-$(EXTVERSION).zip HEAD

help:
	@sed -n 's/^#: //p' Makefile

ifneq (,$(OTHER_GOALS))
$(OTHER_GOALS):
	$(MAKE) $@
endif

else

MODULE_big = $(EXTENSION)
OBJS       = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c src/*/*.c)))
DATA       = $(sort $(wildcard sql/$(EXTENSION)--*--*.sql))
# The install script, in the order in which it runs.
SQL_PARTS  = $(patsubst %,sql/%.sql,schema types promises callbacks tasks \
	schedules protocol operation invariants privileges)
DATA_built = sql/$(EXTENSION)--$(EXTVERSION).sql
PGFILEDESC = "resonate - durable promises"

PG_CPPFLAGS = -I$(srcdir)/src
PG_CFLAGS  = -Wextra -Wshadow -Wstrict-prototypes -Wno-unused-parameter
ifeq ($(DEBUG),1)
PG_CFLAGS += -DUSE_ASSERT_CHECKING
endif
ifeq ($(WERROR),1)
PG_CFLAGS += -Werror
endif

# Inputs are in test/, expected output of both kinds is in expected/.
NO_LOCALE      = 1
ENCODING       = UTF8
REGRESS        = $(patsubst test/sql/%.sql,%,$(sort $(wildcard test/sql/*.sql)))
REGRESS_OPTS   = --inputdir=test
ISOLATION      = $(patsubst test/specs/%.spec,%,$(sort $(wildcard test/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test --outputdir=.
PROVE_TESTS    = test/t/*.pl

EXTRA_CLEAN = results log output_iso tmp_check tmp_check_iso \
	regression.diffs regression.out $(EXTENSION)-$(EXTVERSION).zip

PG_CONFIG ?= pg_config
PGXS      := $(shell $(PG_CONFIG) --pgxs)
ifeq (,$(wildcard $(PGXS)))
$(error no PGXS found: install the server development files, or set PG_CONFIG)
endif

# Bitcode needs the very clang that the server was built with; do without it
# where that is missing.
bitcode_cc := $(shell sed -n 's/^CLANG *= *//p' $(dir $(PGXS))../Makefile.global)
ifeq (,$(shell command -v $(firstword $(bitcode_cc) none) 2>/dev/null))
override with_llvm = no
endif

include $(PGXS)

# PGXS may not track headers.
$(OBJS) $(OBJS:.o=.bc): $(wildcard src/*.h src/*/*.h)

sql/$(EXTENSION)--$(EXTVERSION).sql: $(SQL_PARTS) $(EXTENSION).control Makefile
	cat $(SQL_PARTS) >$@

.PHONY: prove-check
prove-check:
	$(prove_installcheck)

endif
