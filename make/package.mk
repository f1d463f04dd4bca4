# Packages and tarballs, and what tries them on hosts that are thrown away.

# Packages are built from a copy of the source, as on any other machine, and land in $(PACKAGES).
PACKAGES := $(BUILD)/packages
ALONE    := env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL

# Building for another architecture needs that one's musl-dev: dpkg --add-architecture.
DEB_ARCH ?= $(shell dpkg --print-architecture)
DEB_TREE := $(BUILD)/deb/$(DEB_ARCH)/libreuse-$(VERSION)
deb:
	$(Q)packaging/stage $(DEB_TREE)
	$(Q)cp -r $(DEB_TREE)/packaging/debian $(DEB_TREE)/debian
	$(Q)cd $(DEB_TREE) && $(ALONE) dpkg-buildpackage --build=binary --no-sign --host-arch=$(DEB_ARCH)
	$(Q)mkdir -p $(PACKAGES)
	$(Q)cd $(DEB_TREE)/.. && mv *.deb *.buildinfo *.changes $(abspath $(PACKAGES))
	$(Q)ls -l $(PACKAGES)/*_$(DEB_ARCH).*

# The date of the version is the time of every file in a tarball and a package.
EPOCH   = $(shell date -d "$$(sed -n 's/^ -- .*>  //p;T;q' packaging/debian/changelog)" +%s)
TAR     = tar --sort=name --mode=go+rX,go-w --owner=0 --group=0 --numeric-owner --mtime=@$(EPOCH) --format=ustar -c
RELEASE := libreuse-$(VERSION)
# The machine's name, and the ABI of floating-point arguments where a machine has two.
BINARY  := $(RELEASE)-linux-$(firstword $(subst -, ,$(MACHINE)))$(if $(filter %eabihf,$(MACHINE)),hf)

SOURCE_TREE := $(BUILD)/dist/source
dist-source:
	$(Q)[ -e .git ] && git rev-parse --quiet --verify HEAD >/dev/null || \
	    { echo "make dist-source needs a git clone (and git)" >&2; exit 1; }
	$(Q)git diff --quiet HEAD || echo "make dist: what is not committed is not in the source tarball" >&2
	$(Q)set -e; trap 'rm -rf $(SOURCE_TREE)' EXIT; trap 'exit 1' HUP INT TERM; \
	rm -rf $(SOURCE_TREE); mkdir -p $(SOURCE_TREE); \
	git show HEAD:packaging/debian/changelog > $(SOURCE_TREE)/changelog; \
	head -n 1 $(SOURCE_TREE)/changelog | grep -qF ' ($(VERSION)) ' || { \
	    echo "make dist-source: the changelog of the last commit is not of version $(VERSION)" >&2; \
	    exit 1; }; \
	git show HEAD:packaging/rpm/libreuse.spec.in > $(SOURCE_TREE)/spec.in; \
	sed "s/@VERSION@/$(VERSION)/;s/@DATE@/$$(LC_ALL=C date -u -d @$(EPOCH) '+%a %b %d %Y')/" $(SOURCE_TREE)/spec.in > $(SOURCE_TREE)/libreuse.spec; \
	git archive --prefix=$(RELEASE)/ --add-file=$(SOURCE_TREE)/libreuse.spec \
	    -o $(SOURCE_TREE)/$(RELEASE).tar HEAD; \
	gzip -9n $(SOURCE_TREE)/$(RELEASE).tar; \
	mkdir -p $(PACKAGES); mv $(SOURCE_TREE)/$(RELEASE).tar.gz $(PACKAGES)
	$(Q)ls -l $(PACKAGES)/$(RELEASE).tar.gz

# The binary tarball of x86-64 has the library for 32-bit programs, too.
DIST_TREE := $(BUILD)/dist/$(BINARY)
DIST_I386 := $(if $(filter x86_64-%,$(MACHINE)),$(BUILD)/i386/libreuse.so)
dist-binary: $(BUILD)/libreuse.so $(STATIC) $(BUILD)/libreuse.catalog $(DIST_I386)
	$(Q)rm -rf $(DIST_TREE)
	$(Q)$(MAKE) --no-print-directory install DESTDIR=$(abspath $(DIST_TREE)) PREFIX= COMMAND=$(STATIC) >/dev/null
	$(Q)$(if $(DIST_I386),install -D -m 644 $(DIST_I386) $(DIST_TREE)/lib32/libreuse.so)
	$(Q)$(STRIP) --strip-unneeded $(DIST_TREE)/lib*/libreuse.so $(DIST_TREE)/bin/libreuse
	$(Q)cd $(DIST_TREE) && find bin lib* share -type f | LC_ALL=C sort > FILES
	$(Q)install -m 755 packaging/tarball/install.sh $(DIST_TREE)
	$(Q)install -m 644 README.md LICENSE $(DIST_TREE)
	$(Q)mkdir -p $(PACKAGES)
	$(Q)$(TAR) -C $(BUILD)/dist $(BINARY) | gzip -9n > $(PACKAGES)/$(BINARY).tar.gz
	$(Q)ls -l $(PACKAGES)/$(BINARY).tar.gz

RPM_TREE := $(abspath $(BUILD)/rpm)
RPM_CPU  := $(patsubst arm,armv7hl,$(patsubst powerpc64le,ppc64le,$(firstword $(subst -, ,$(MACHINE)))))
rpm:
	$(Q)rm -rf $(RPM_TREE)
	$(Q)SOURCE_DATE_EPOCH=$(EPOCH) $(ALONE) rpmbuild -ta --nodeps --target=$(RPM_CPU) \
	    --define "_topdir $(RPM_TREE)" --define "__cc $(CC)" --define "__strip $(STRIP)" \
	    --define "_buildhost localhost" --define "use_source_date_epoch_as_buildtime 1" \
	    --define "clamp_mtime_to_source_date_epoch 1" $(PACKAGES)/$(RELEASE).tar.gz
	$(Q)mv $(RPM_TREE)/RPMS/*/*.rpm $(RPM_TREE)/SRPMS/*.rpm $(PACKAGES)
	$(Q)ls -l $(PACKAGES)/*.rpm

# Nothing of this make's own settings reaches the two builds that are compared.
release:
	$(Q)$(ALONE) -u VERSION packaging/release $(if $(filter no,$(TAG)),--no-tag) \
	    '$(if $(filter command,$(origin VERSION)),$(VERSION))' $(BUILD)/release

# Both change nothing on this machine but $(BUILD): all happens in throw-away overlays of namespaces of
# their own, as root. What has to be installed for it is installed in there.
SUITES ?= bullseye bookworm trixie sid
test-distros:
	$(Q)SUITES="$(SUITES)" MIRROR="$(MIRROR)" $(ALONE) tests/distros/run $(BUILD)/distros

test-fleet: deb
	$(Q)$(ALONE) tests/fleet/run $(BUILD)/fleet $(PACKAGES)

test-packages:
	$(Q)tests/distros/check-here $(BUILD)/shared
