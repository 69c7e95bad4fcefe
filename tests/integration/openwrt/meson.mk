# Stands in for OpenWrt's meson.mk.
# SPDX-License-Identifier: LGPL-2.1-or-later
# What meson is told is printed.
arguments:
	@echo '$(MESON_ARGS)'
.PHONY: arguments
