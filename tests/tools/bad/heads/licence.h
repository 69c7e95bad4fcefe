/* nothing.h: a file whose licence nobody knows. */
#pragma once
