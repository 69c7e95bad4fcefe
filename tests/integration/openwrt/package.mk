# Stands in for OpenWrt's package.mk: each package is installed into a folder of its name below OUT.
# SPDX-License-Identifier: LGPL-2.1-or-later
$(if $(PKG_MAINTAINER),,$(error nobody maintains it))
all:
depends:

# What a section sets is set for the lines that say what a package needs.
define BuildPackage
  TITLE:=
  DEPENDS:=
  $(eval $(Package/$(1)))
  $(if $(TITLE),,$(error $(1) has no title))
  $(if $(Package/$(1)/description),,$(error $(1) has no description))
  all: install-$(1)
  depends: depends-$(1)
  .PHONY: all depends install-$(1) depends-$(1)

  install-$(1):
	$(call Package/$(1)/install,$(OUT)/$(1))

  depends-$(1):
	echo '$(1): $(DEPENDS)'
endef
