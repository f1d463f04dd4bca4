# What is installed, and where: the one list. Packages and the binary tarball are made by "make install"
# into a folder of theirs, so that they follow it.

# The documents keep their folders, so that the links between them work.
DOCUMENTS := README.md $(wildcard docs/*.md docs/pictures/*.svg)
EXAMPLES  := testapps/server1.c testapps/server2.c $(wildcard packaging/systemd/*.conf packaging/systemd/libreuse-metrics.* packaging/prometheus/* \
                 packaging/ansible/* packaging/rsyslog/* packaging/container/*)

# MODE:SOURCE:PATH
LIBRARY_FILES := 644:$(BUILD)/libreuse.so:$(LIBDIR)/libreuse.so
COMMAND_FILES := 755:$(COMMAND):$(BINDIR)/libreuse \
    644:docs/libreuse.1:$(MANDIR)/man1/libreuse.1 \
    644:docs/libreuse.so.8:$(MANDIR)/man8/libreuse.so.8 \
    644:packaging/completions/libreuse.bash:$(BASHDIR)/libreuse \
    644:packaging/completions/_libreuse:$(ZSHDIR)/_libreuse \
    644:packaging/completions/libreuse.fish:$(FISHDIR)/libreuse.fish \
    644:$(BUILD)/libreuse.catalog:$(CATALOGDIR)/libreuse.catalog \
    644:packaging/systemd/libreuse-watch.service:$(UNITDIR)/libreuse-watch.service \
    $(foreach file,$(DOCUMENTS),644:$(file):$(DOCDIR)/$(file)) \
    $(foreach file,$(EXAMPLES),644:$(file):$(DOCDIR)/examples/$(notdir $(file)))

FILES = $(Q)DESTDIR='$(DESTDIR)' packaging/files

install-library: $(BUILD)/libreuse.so
	$(FILES) install $(DOCDIR) $(LIBRARY_FILES)

install-command: $(COMMAND) $(BUILD)/libreuse.catalog
	$(FILES) install $(DOCDIR) $(COMMAND_FILES)

uninstall:
	$(FILES) uninstall $(DOCDIR) $(LIBRARY_FILES) $(COMMAND_FILES)
