# bash completion for rolecall: the commands of `rolecall ctl` come from the program itself.

_rolecall()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} at
    local IFS=$'\n'
    if [ "$COMP_CWORD" = 1 ]; then
        COMPREPLY=($(compgen -W $'run\ncheck\ndemo\nctl\nversion\nhelp' -- "$word"))
        return
    fi
    case $before in
    -c | --config | -s | --socket)
        COMPREPLY=($(compgen -f -- "$word"))
        return
        ;;
    esac
    case ${COMP_WORDS[1]} in
    run) COMPREPLY=($(compgen -W "--config" -- "$word")) ;;
    check) COMPREPLY=($(compgen -W $'--config\n--defaults' -- "$word")) ;;
    ctl)
        at=2
        while [ "$at" -lt "$COMP_CWORD" ]; do
            case ${COMP_WORDS[at]} in
            -s | --socket | -c | --config | -t | --timeout) at=$((at + 2)) ;;
            -*) at=$((at + 1)) ;;
            *) break ;;
            esac
        done
        if [ "$at" = "$COMP_CWORD" ] && [[ $word == -* ]]; then
            COMPREPLY=($(compgen -W $'--socket\n--config\n--csv\n--json\n--timeout\n--help' -- "$word"))
        else
            COMPREPLY=($("${COMP_WORDS[0]}" "${COMP_WORDS[@]:1:at-1}" --complete "${COMP_WORDS[@]:at:COMP_CWORD-at+1}" 2>/dev/null))
        fi
        ;;
    esac
}
complete -o filenames -F _rolecall rolecall
