# Stands in for OpenWrt's meson.mk.
# SPDX-License-Identifier: LGPL-2.1-or-later
# It belongs to OpenWrt's tools. What is added to its arguments counts at once; they are printed.
$(if $(filter meson/host,$(PKG_BUILD_DEPENDS)),$(error meson is no package))
MESON_ARGS:=
arguments:
	@echo '$(MESON_ARGS)'
.PHONY: arguments
