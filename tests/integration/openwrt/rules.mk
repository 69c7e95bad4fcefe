# Stands in for OpenWrt's rules.mk: the words of it that the recipe uses.
# SPDX-License-Identifier: LGPL-2.1-or-later
INSTALL_BIN:=install -m0755
INSTALL_DIR:=install -d -m0755
INSTALL_DATA:=install -m0644
INSTALL_CONF:=install -m0600
INTL_DEPENDS:=
empty:=
space:=$(empty) $(empty)
comma:=,
