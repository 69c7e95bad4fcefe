# Stands in for OpenWrt's nls.mk.
# SPDX-License-Identifier: LGPL-2.1-or-later
