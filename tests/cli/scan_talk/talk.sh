# A program that waits for each answer before it asks again: tare has to answer when the input pauses.
box=$(mktemp -d)
trap 'rm -rf "$box"' EXIT
mkfifo "$box/to" "$box/from"
"$TARE" scan --no-digest <"$box/to" >"$box/from" &
exec 3>"$box/to" 4<"$box/from"
for k in 1 2 3; do
    echo "{\"id\": $k, \"config\": {\"model_type\": \"gpt2\", \"n_layer\": $k}}" >&3
    read -r answer <&4
    echo "$answer"
done
exec 3>&-
wait
