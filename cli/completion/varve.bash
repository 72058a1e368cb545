# SPDX-License-Identifier: Apache-2.0
# Completion for varve: the program itself says which words it knows.
_varve()
{
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local command='' i words
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --socket) ((i++)) ;;
        -*) ;;
        *)
            command=${COMP_WORDS[i]}
            break
            ;;
        esac
    done
    COMPREPLY=()
    case $previous in
    --kind)
        words='text sensor'
        ;;
    --stream)
        words=$(varve streams --json 2>/dev/null | grep -o '"stream":"[^"]*"' | cut -d '"' -f 4)
        ;;
    --since | --until | --time)
        words='-1h -1d -1w today yesterday'
        ;;
    --socket | --out)
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    *)
        if [[ -z $command || $command = help ]]; then
            words=$(varve help --list)
        elif [[ $current = -* ]]; then
            words=$(varve help --list "$command")
        else
            case $command in
            ingest | score | embed)
                mapfile -t COMPREPLY < <(compgen -f -- "$current")
                ;;
            esac
            return
        fi
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -o filenames -F _varve varve
