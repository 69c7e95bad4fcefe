# Completion of detourctl for fish: asks the program itself, so names are those of the running daemon.
# SPDX-License-Identifier: LGPL-2.1-or-later
function __detourctl_candidates
    set -l words (commandline --tokenize --cut-at-cursor --current-process)
    set -l token (commandline --cut-at-cursor --current-token)
    set -l found ($words[1] complete $words[2..-1] $token 2>/dev/null)
    if test "$found[1]" = :files
        __fish_complete_path $token
    else
        printf '%s\n' $found
    end
end
complete --command detourctl --no-files --arguments '(__detourctl_candidates)'
complete --command detourctl --long-option socket --require-parameter --force-files
complete --command detourctl --long-option config --require-parameter --force-files
complete --command detourctl --long-option output --require-parameter --force-files
complete --command detourctl --long-option inventory --require-parameter --force-files
complete --command detourctl --long-option chain-file --require-parameter --force-files
complete --command detourctl --long-option key-file --require-parameter --force-files
complete --command detourctl --long-option keys-file --require-parameter --force-files
complete --command detourctl --long-option api-key-file --require-parameter --force-files
complete --command detourctl --long-option textfile --require-parameter --force-files
complete --command detourctl --long-option tailscaled-socket --require-parameter --force-files
complete --command detourctl --long-option ca --require-parameter --force-files
complete --command detourctl --long-option mesh-key --require-parameter --force-files
complete --command detourctl --long-option binary --require-parameter --force-files
complete --command detourctl --long-option map --require-parameter --force-files
