# Completion of detourctl for fish: asks the program itself, so names are those of the running daemon.
# SPDX-License-Identifier: LGPL-2.1-or-later
function __detourctl_candidates
    set -l words (commandline --tokenize --cut-at-cursor --current-process)
    $words[1] complete $words[2..-1] (commandline --cut-at-cursor --current-token) 2>/dev/null
end
complete --command detourctl --no-files --arguments '(__detourctl_candidates)'
complete --command detourctl --long-option socket --require-parameter --force-files
complete --command detourctl --long-option config --require-parameter --force-files
