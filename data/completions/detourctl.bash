# Completion of detourctl for bash: asks the program itself, so names are those of the running daemon.
# SPDX-License-Identifier: LGPL-2.1-or-later
_detourctl ()
{
  local previous=${COMP_WORDS[COMP_CWORD - 1]}

  case $previous in
    --socket | --config | --output | --chain-file | --key-file | --keys-file | --api-key-file | --textfile | --tailscaled-socket | --ca | --mesh-key | --map | --binary | --inventory)
      compopt -o filenames
      mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
      ;;
    *)
      mapfile -t COMPREPLY < <("${COMP_WORDS[0]}" complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2> /dev/null)
      if [ "${COMPREPLY[0]}" = :files ]; then
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
      fi
      ;;
  esac
}
complete -F _detourctl detourctl
