#!/bin/sh
# Train, evaluate and predict from the command line. Set CLX (the command) and LOCAL_DATA_DIR, and
# pass the folder with train.csv and test.csv. A second call reuses the trained run.
set -eu
data=$1
run=reuters-r8

show() {
    printf '\n$ clx'
    for word in "$@"; do
        case $word in *' '*) printf " '%s'" "$word" ;; *) printf ' %s' "$word" ;; esac
    done
    printf '\n'
    "$CLX" "$@"
}

if [ -f "$LOCAL_DATA_DIR/runs/$run/manifest.json" ]; then
    echo "The run $run is already trained, so only evaluate it. (make clean removes it.)"
else
    show train classification "$run" "$data/train.csv" \
        --set tokenize_args.max_length=128 \
        --set training_args.num_train_epochs=1 \
        --set training_args.learning_rate=2e-4
fi

show evaluate "$run" "$data/test.csv"

show predict "$run" \
    "the company said its quarterly net profit rose to 12 mln dlrs or 35 cts a share" \
    "crude oil prices fell after opec members failed to agree on output quotas" \
    "the central bank cut its key interest rate by half a percentage point" \
    "the firm agreed to buy all outstanding shares of its rival in a tender offer" \
    "wheat and corn exports rose as the harvest exceeded expectations"

cat <<END

The run directory is $LOCAL_DATA_DIR/runs/$run; plain transformers can load its model/ too.
Next:
  export LOCAL_DATA_DIR=$LOCAL_DATA_DIR
  $CLX show $run
  $CLX predict $run $data/test.csv -o predictions.csv
or in Python ($(dirname "$CLX")/python):
  from clx.ml import training_run
  run = training_run(load="$LOCAL_DATA_DIR/runs/$run")
  run.predict(["oil output rises"])
With your own data, a csv with the columns text and label:
  $CLX train classification my-run mine.csv
END
